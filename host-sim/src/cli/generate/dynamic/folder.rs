//! The folder that Envoy watches: whole files or none, one writer at a time, and what was accepted last.

mod held;

use crate::cli::failure::Failure;
use crate::cli::generate::{cannot_write, ours};
use crate::replay::reason;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};
use switchyard_envoy::bootstrap::dynamic::ENDPOINTS;

/// Ours alone: Envoy watches moves into the folder above.
const OWN: &str = ".switchyard";
/// In [`OWN`]: the last accepted version of each file that is being changed.
const PREVIOUS: &str = "previous";
/// In [`OWN`]: the names of the files that calls wrote, a line each.
const FILES: &str = "files";
/// In [`OWN`]: whose turn it was last.
const TURN: &str = "turn";

/// A folder that nobody else writes to while its lock is held.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// The kernel lets go of it when the process ends, however that is.
    lock: OnceLock<File>,
    /// What this call writes to [`TURN`].
    turn: String,
}

impl Folder {
    /// The folder, which may be missing; nothing is written.
    pub fn new(root: &Path) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self { root: root.to_owned(), lock: OnceLock::new(), turn: format!("{} {now}\n", std::process::id()) }
    }

    /// Takes the lock until the process ends, or [`Self::release`]. The folder is made where it is missing.
    ///
    /// # Errors
    /// It cannot be written to, or another call does.
    pub fn lock(&self) -> Result<(), Failure> {
        let own = self.root.join(OWN);
        for folder in [self.root.join(ENDPOINTS), own.join(PREVIOUS).join(ENDPOINTS)] {
            fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
        }
        let path = own.join("lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let lock = opened.map_err(|error| cannot_write(&path, &error))?;
        if !taken(&path, &lock)? {
            return Err(Failure::File(format!(
                "another `switchyard generate` is changing `{}`: wait for its end",
                self.root.display()
            )));
        }
        let _ = self.lock.set(lock);
        self.write(&own.join(TURN), &self.turn).map_err(|error| cannot_write(&own.join(TURN), &error))
    }

    /// Lets other calls have their turn.
    pub fn release(&self) -> Result<(), Failure> {
        let path = self.root.join(OWN).join("lock");
        self.lock.get().map_or(Ok(()), File::unlock).map_err(|error| cannot_write(&path, &error))
    }

    /// Whether another call has had its turn since [`Self::lock`].
    pub fn is_taken_over(&self) -> Result<bool, Failure> {
        Ok(read(&self.root.join(OWN).join(TURN))?.as_ref() != Some(&self.turn))
    }

    /// Takes the lock again after [`Self::release`]; `false` where another call has, or had, its turn.
    pub fn retake(&self) -> Result<bool, Failure> {
        let path = self.root.join(OWN).join("lock");
        let is_ours = self.lock.get().map_or(Ok(false), |lock| taken(&path, lock))?;
        Ok(is_ours && !self.is_taken_over()?)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// A file's text; `None` where it is missing.
    pub fn read(&self, name: &str) -> Result<Option<String>, Failure> {
        read(&self.root.join(name))
    }

    /// The last accepted text of a file that a call was changing when it ended.
    pub fn previous(&self, name: &str) -> Result<Option<String>, Failure> {
        read(&self.kept(name))
    }

    /// Writes a file unless it says this already; whether it was written. Whoever reads sees the old text or the new.
    pub fn put(&self, name: &str, text: &str) -> Result<bool, Failure> {
        if self.read(name).ok().flatten().as_deref() == Some(text) {
            return Ok(false);
        }
        self.replace(name, text)?;
        Ok(true)
    }

    /// Writes a file, also when it says this already: Envoy reads it again.
    pub fn replace(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.root.join(name);
        self.write(&path, text).map_err(|error| cannot_write(&path, &error))
    }

    /// Keeps a file's text until [`Self::forget`], unless an older one is kept: that was accepted, this may not be.
    pub fn keep(&self, name: &str) -> Result<(), Failure> {
        self.read(name)?.map_or(Ok(()), |text| self.keep_text(name, &text))
    }

    /// [`Self::keep`] of a text that is not in the file.
    pub fn keep_text(&self, name: &str, text: &str) -> Result<(), Failure> {
        let kept = self.kept(name);
        if kept.exists() {
            return Ok(());
        }
        self.write(&kept, text).map_err(|error| cannot_write(&kept, &error))
    }

    /// Puts a kept text back; whether there was one.
    pub fn restore(&self, name: &str) -> Result<bool, Failure> {
        let path = self.root.join(name);
        match fs::rename(self.kept(name), &path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(cannot_write(&path, &error)),
        }
    }

    /// What is there is accepted: nothing is kept any more.
    pub fn forget(&self) -> Result<(), Failure> {
        for name in files(&self.root.join(OWN).join(PREVIOUS))? {
            self.forget_one(&name)?;
        }
        Ok(())
    }

    /// [`Self::forget`] for a file.
    pub fn forget_one(&self, name: &str) -> Result<(), Failure> {
        remove(&self.kept(name))
    }

    /// Looks before anything is written.
    ///
    /// # Errors
    /// One of these names is that of a file that we did not write.
    pub fn check<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        names.map(|name| self.root.join(name)).try_for_each(|path| ours::may_overwrite(&path))
    }

    /// The files that calls wrote, or were about to write.
    pub fn listed(&self) -> Result<BTreeSet<String>, Failure> {
        let text = read(&self.root.join(OWN).join(FILES))?.unwrap_or_default();
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Adds these to [`Self::listed`], before they are written.
    pub fn list<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let mut all = self.listed()?;
        all.extend(names.map(str::to_owned));
        self.write_list(&all)
    }

    /// Ends a change after which there are these files alone: those that calls wrote and nobody needs any more go, and
    /// nothing is kept.
    pub fn end<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let wanted: BTreeSet<_> = names.map(str::to_owned).collect();
        for name in self.listed()?.difference(&wanted) {
            let path = self.root.join(name);
            // Somebody may have put another file in its place.
            if !ours::is_foreign(&path)? {
                remove(&path)?;
            }
        }
        self.write_list(&wanted)?;
        self.unhold()?;
        self.forget()
    }

    fn write_list(&self, names: &BTreeSet<String>) -> Result<(), Failure> {
        let path = self.root.join(OWN).join(FILES);
        let text: String = names.iter().flat_map(|name| [name, "\n"]).collect();
        self.write(&path, &text).map_err(|error| cannot_write(&path, &error))
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.root.join(OWN).join(PREVIOUS).join(name)
    }

    /// A file of the same file system, renamed over the other.
    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        let new = self.root.join(OWN).join("new");
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            // After a loss of power an empty file would stand there otherwise.
            file.sync_all()
        });
        let moved = written.and_then(|()| fs::rename(&new, path));
        if moved.is_err() {
            // What is left of it takes room on a disk that may be full.
            let _ = fs::remove_file(&new);
        }
        moved
    }
}

/// The files of a folder, and of its folder of endpoints, by name.
fn files(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut names = vec![];
    for (below, prefix) in [(folder.to_owned(), String::new()), (folder.join(ENDPOINTS), format!("{ENDPOINTS}/"))] {
        let cannot_read =
            |error: &io::Error| Failure::File(format!("cannot read `{}`: {}", below.display(), reason(error)));
        for entry in fs::read_dir(&below).map_err(|error| cannot_read(&error))? {
            let entry = entry.map_err(|error| cannot_read(&error))?;
            let is_file = entry.file_type().map_err(|error| cannot_read(&error))?.is_file();
            if let (true, Some(name)) = (is_file, entry.file_name().to_str()) {
                names.push(format!("{prefix}{name}"));
            }
        }
    }
    names.sort();
    Ok(names)
}

fn taken(path: &Path, lock: &File) -> Result<bool, Failure> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(cannot_write(path, &error)),
    }
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::File(format!("cannot open `{}`: {}", path.display(), reason(&error)))),
    }
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_write(path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn locked(root: &Path) -> Folder {
        let folder = Folder::new(root);
        folder.lock().unwrap();
        folder
    }

    #[test]
    fn one_call_at_a_time_writes_to_a_folder() {
        let temporary = TempDir::new().unwrap();
        let first = locked(temporary.path());
        let second = Folder::new(temporary.path());
        let Failure::File(message) = second.lock().unwrap_err() else { panic!() };
        assert!(message.contains("another `switchyard generate`"), "{message}");
        assert!(!first.is_taken_over().unwrap());
        // Nobody came meanwhile.
        first.release().unwrap();
        assert!(first.retake().unwrap());
        first.release().unwrap();
        second.lock().unwrap();
        assert!(first.is_taken_over().unwrap() && !first.retake().unwrap());
        drop(second);
        assert!(!first.retake().unwrap(), "somebody had a turn in between");
        drop(first);
        locked(temporary.path());
    }

    #[test]
    fn an_equal_text_is_not_written() {
        let temporary = TempDir::new().unwrap();
        let folder = locked(temporary.path());
        assert!(folder.put("clusters.yaml", "a").unwrap());
        assert!(!folder.put("clusters.yaml", "a").unwrap());
        assert!(folder.put("clusters.yaml", "b").unwrap());
    }

    #[test]
    fn files_of_others_are_neither_overwritten_nor_removed() {
        let temporary = TempDir::new().unwrap();
        let folder = locked(temporary.path());
        let ours = |name: &str| ours::headed(format!("name: {name}\n"));
        for name in ["policy-gone.yaml", "policy-replaced.yaml", "clusters.yaml"] {
            folder.list([name].into_iter()).unwrap();
            folder.put(name, &ours(name)).unwrap();
        }
        for name in ["policy-mine.yaml", "endpoints/notes.txt", "policy-replaced.yaml"] {
            fs::write(temporary.path().join(name), "mine").unwrap();
        }
        let Failure::File(message) = folder.check(["clusters.yaml", "policy-mine.yaml"].into_iter()).unwrap_err()
        else {
            panic!()
        };
        assert!(message.contains("policy-mine.yaml` is not overwritten"), "{message}");
        folder.end(["clusters.yaml"].into_iter()).unwrap();
        assert_eq!(folder.read("policy-gone.yaml").unwrap(), None);
        for name in ["policy-mine.yaml", "endpoints/notes.txt", "policy-replaced.yaml"] {
            assert_eq!(folder.read(name).unwrap().as_deref(), Some("mine"), "{name}");
        }
        assert_eq!(folder.listed().unwrap(), BTreeSet::from(["clusters.yaml".to_owned()]));
    }

    #[test]
    fn what_was_accepted_first_comes_back() {
        let temporary = TempDir::new().unwrap();
        let folder = locked(temporary.path());
        folder.put("clusters.yaml", "accepted").unwrap();
        for refused in ["refused", "refused too"] {
            folder.keep("clusters.yaml").unwrap();
            folder.put("clusters.yaml", refused).unwrap();
        }
        assert_eq!(folder.previous("clusters.yaml").unwrap().as_deref(), Some("accepted"));
        assert!(folder.restore("clusters.yaml").unwrap());
        assert_eq!(folder.read("clusters.yaml").unwrap().as_deref(), Some("accepted"));
        assert!(!folder.restore("clusters.yaml").unwrap());
        folder.keep("clusters.yaml").unwrap();
        folder.forget().unwrap();
        assert_eq!(folder.previous("clusters.yaml").unwrap(), None);
    }
}
