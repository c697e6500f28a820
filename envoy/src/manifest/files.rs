//! MANIFEST arguments: files, folders, standard input.

use crate::source::Source;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The most that is read of one file, in bytes: a cluster's 100,000 VirtualServices as `kubectl` prints them have less.
const LONGEST: u64 = 512 << 20;

/// What cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot open `{name}`: {message}")]
pub struct OpenError {
    /// The file or folder as it was given.
    pub name: String,
    /// Why.
    pub message: String,
}

/// A text before it is read: its name and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// As it was given; below a folder, the folder as given and the way from it.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Input {
    /// The text, and where its first byte is that is no UTF-8.
    pub fn decode(self) -> (Source, Option<usize>) {
        let Self { name, bytes } = self;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
        match String::from_utf8(bytes) {
            Ok(text) => (Source { name, text }, None),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                (Source { name, text: String::from_utf8_lossy(error.as_bytes()).into_owned() }, Some(at))
            }
        }
    }
}

/// Opens every argument: a file, a folder (its `.yaml`, `.yml` and `.json` files, recursively, sorted), or `-`.
///
/// # Errors
/// Everything that cannot be opened.
pub fn open(arguments: &[String], stdin: &mut dyn io::Read) -> Result<Vec<Input>, Vec<OpenError>> {
    let mut inputs = vec![];
    let mut errors = vec![];
    for argument in arguments {
        let opened = if argument == "-" {
            read_stdin(stdin)
        } else if fs::metadata(argument).is_ok_and(|meta| meta.is_dir()) {
            read_folder(argument)
        } else {
            read_file(Path::new(argument)).map(|input| vec![input])
        };
        match opened {
            Ok(opened) => inputs.extend(opened),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(inputs) } else { Err(errors) }
}

fn read_stdin(stdin: &mut dyn io::Read) -> Result<Vec<Input>, OpenError> {
    let bytes = read_all(stdin, LONGEST).map_err(|error| failed(Path::new("-"), &error))?;
    Ok(vec![Input { name: "<stdin>".into(), bytes }])
}

fn read_file(path: &Path) -> Result<Input, OpenError> {
    let bytes = fs::File::open(path).and_then(|file| read_all(file, LONGEST)).map_err(|error| failed(path, &error))?;
    Ok(Input { name: path.display().to_string(), bytes })
}

/// All that there is, if it ends: `/dev/zero` does not.
fn read_all(mut from: impl io::Read, longest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    from.by_ref().take(longest).read_to_end(&mut bytes)?;
    if from.read(&mut [0])? > 0 {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn read_folder(folder: &str) -> Result<Vec<Input>, OpenError> {
    let mut files = vec![];
    collect(Path::new(folder), &mut files)?;
    if files.is_empty() {
        return Err(OpenError { name: folder.into(), message: "the folder has no .yaml, .yml or .json file".into() });
    }
    files.sort();
    files.iter().map(|path| read_file(path)).collect()
}

/// Hidden entries are left out (a `ConfigMap` mount has `..data`), linked folders too (they may go round), pipes and devices
/// (who reads them may wait for ever), and kustomize's own file, which is no manifest.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), OpenError> {
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let entry = entry.map_err(|error| failed(folder, &error))?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&path, files)?;
        } else if matches!(path.extension().and_then(|e| e.to_str()), Some("yaml" | "yml" | "json"))
            && !matches!(name.as_str(), "kustomization.yaml" | "kustomization.yml")
            // A link that leads nowhere is one to tell of.
            && !fs::metadata(&path).is_ok_and(|meta| !meta.is_file())
        {
            files.push(path);
        }
    }
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> OpenError {
    let message = match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::FileTooLarge => format!("it is longer than {} MiB, the most that is read of one", LONGEST >> 20),
        _ => error.to_string().to_lowercase(),
    };
    OpenError { name: path.display().to_string(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(inputs: &[Input], root: &str) -> Vec<String> {
        inputs.iter().map(|input| input.name.replace(root, "ROOT")).collect()
    }

    #[test]
    fn a_folder_is_read_recursively_and_sorted() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path();
        for path in [
            "b.yaml",
            "a.yml",
            "sub/c.json",
            "sub/deep/d.yaml",
            "note.txt",
            ".hidden.yaml",
            ".git/x.yaml",
            "kustomization.yaml",
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, "{}").expect("file");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root, root.join("sub/loop")).expect("link");
        // Nobody writes to it, and a reader would wait.
        #[cfg(unix)]
        assert!(std::process::Command::new("mkfifo").arg(root.join("pipe.yaml")).status().expect("mkfifo").success());
        let root = root.display().to_string();
        let mut stdin: &[u8] = b"a: 1";
        let inputs = open(&[root.clone(), "-".into()], &mut stdin).expect("opens");
        assert_eq!(
            names(&inputs, &root),
            ["ROOT/a.yml", "ROOT/b.yaml", "ROOT/sub/c.json", "ROOT/sub/deep/d.yaml", "<stdin>"]
        );
        assert_eq!(inputs[4].bytes, b"a: 1");
    }

    #[test]
    fn what_does_not_end_is_told() {
        assert_eq!(read_all(&b"12345678"[..], 8).expect("as long as it may be"), b"12345678");
        let error = read_all(io::repeat(0), 8).expect_err("too long");
        let message = failed(Path::new("/dev/zero"), &error).to_string();
        assert_eq!(message, "cannot open `/dev/zero`: it is longer than 512 MiB, the most that is read of one");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_told() {
        let folder = tempfile::tempdir().expect("folder");
        std::os::unix::fs::symlink("/nowhere", folder.path().join("a.yaml")).expect("link");
        let errors = open(&[folder.path().display().to_string()], &mut io::empty()).expect_err("nothing there");
        assert!(errors[0].to_string().ends_with("a.yaml`: no such file or folder"), "{errors:?}");
    }

    #[test]
    fn everything_that_cannot_be_opened_is_told() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path().display().to_string();
        let arguments = ["/nowhere/policy.yaml".to_owned(), root.clone(), "also-not-here".to_owned()];
        let errors = open(&arguments, &mut io::empty()).expect_err("nothing there");
        assert_eq!(
            errors.iter().map(|e| e.to_string().replace(&root, "ROOT")).collect::<Vec<_>>(),
            [
                "cannot open `/nowhere/policy.yaml`: no such file or folder",
                "cannot open `ROOT`: the folder has no .yaml, .yml or .json file",
                "cannot open `also-not-here`: no such file or folder",
            ]
        );
    }
}
