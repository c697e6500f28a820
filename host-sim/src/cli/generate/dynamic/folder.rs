//! The folder that Envoy watches: whole files or none, one writer at a time, and what was accepted last.

use crate::cli::failure::Failure;
use crate::cli::generate::cannot_write;
use crate::replay::reason;
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use switchyard_envoy::bootstrap::dynamic::{CLUSTERS, Dynamic, ENDPOINTS, LISTENERS};

/// Ours alone: Envoy watches moves into the folder above.
const OWN: &str = ".switchyard";
/// In [`OWN`]: the last accepted version of each file that is being changed.
const PREVIOUS: &str = "previous";

/// A folder that nobody else writes to while this lives.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// The kernel lets go of it when the process ends, however that is.
    _lock: File,
}

impl Folder {
    /// Makes it where it is missing.
    ///
    /// # Errors
    /// It cannot be written to, or another call does.
    pub fn lock(root: &Path) -> Result<Self, Failure> {
        let own = root.join(OWN);
        for folder in [root.join(ENDPOINTS), own.join(PREVIOUS).join(ENDPOINTS)] {
            fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
        }
        let path = own.join("lock");
        let lock = File::create(&path).map_err(|error| cannot_write(&path, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::File(format!(
                "another `switchyard generate` is changing `{}`: wait for its end",
                root.display()
            ))),
            Err(TryLockError::Error(error)) => Err(cannot_write(&path, &error)),
        }
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
        let kept = self.kept(name);
        match self.read(name)? {
            Some(text) if !kept.exists() => self.write(&kept, &text).map_err(|error| cannot_write(&kept, &error)),
            _ => Ok(()),
        }
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

    /// Every file that Envoy watches, or did.
    pub fn sources(&self) -> Result<Vec<String>, Failure> {
        let is_source = |name: &String| {
            let is_one_of_many = ["policy-", "routes-", ENDPOINTS].iter().any(|prefix| name.starts_with(prefix));
            is_one_of_many || name == CLUSTERS || name == LISTENERS
        };
        Ok(files(&self.root)?.into_iter().filter(is_source).collect())
    }

    /// Removes sources that are none any more.
    pub fn remove_all_but(&self, new: &Dynamic) -> Result<(), Failure> {
        let wanted: BTreeSet<_> = new.sources.iter().map(|source| source.file.as_str()).collect();
        let mut gone = self.sources()?.into_iter().filter(|name| !wanted.contains(name.as_str()));
        gone.try_for_each(|name| remove(&self.root.join(name)))
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

    #[test]
    fn one_call_at_a_time_writes_to_a_folder() {
        let temporary = TempDir::new().unwrap();
        let first = Folder::lock(temporary.path()).unwrap();
        let Failure::File(message) = Folder::lock(temporary.path()).unwrap_err() else { panic!() };
        assert!(message.contains("another `switchyard generate`"), "{message}");
        drop(first);
        Folder::lock(temporary.path()).unwrap();
    }

    #[test]
    fn an_equal_text_is_not_written() {
        let temporary = TempDir::new().unwrap();
        let folder = Folder::lock(temporary.path()).unwrap();
        assert!(folder.put("clusters.yaml", "a").unwrap());
        assert!(!folder.put("clusters.yaml", "a").unwrap());
        assert!(folder.put("clusters.yaml", "b").unwrap());
        assert_eq!(folder.sources().unwrap(), ["clusters.yaml"]);
    }

    #[test]
    fn what_was_accepted_first_comes_back() {
        let temporary = TempDir::new().unwrap();
        let folder = Folder::lock(temporary.path()).unwrap();
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
