//! Which files are ours: those that begin with our line. Others are neither overwritten nor removed.

use super::cannot_write;
use crate::cli::failure::Failure;
use crate::replay::reason;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// How every file of ours begins.
const FIRST: &str = "# Written by `switchyard generate";

/// The text with our line before it, if it has none.
pub fn headed(text: String) -> String {
    if text.starts_with(FIRST) {
        return text;
    }
    format!("{FIRST} --target envoy`: do not edit, generate again.\n{text}")
}

/// Whether a file is there that we did not write.
pub fn is_foreign(path: &Path) -> Result<bool, Failure> {
    let cannot_open = |error: io::Error| Failure::File(format!("cannot open `{}`: {}", path.display(), reason(&error)));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(cannot_open(error)),
        // A folder, or a pipe that nobody writes to. A link may lead to a file of ours: that is replaced, not followed.
        Ok(_) if !fs::metadata(path).is_ok_and(|found| found.is_file()) => return Ok(true),
        Ok(_) => {}
    }
    let mut first = Vec::new();
    let file = File::open(path).map_err(cannot_open)?;
    file.take(FIRST.len() as u64).read_to_end(&mut first).map_err(cannot_open)?;
    // An empty one is a place that was made for ours: a mount, say.
    Ok(!first.is_empty() && first != FIRST.as_bytes())
}

/// Looks before anything is written.
///
/// # Errors
/// A file that we did not write.
pub fn may_overwrite(path: &Path) -> Result<(), Failure> {
    if is_foreign(path)? {
        return Err(Failure::File(format!(
            "`{}` is not overwritten: it does not begin with `{FIRST} …`, so somebody else wrote it, or an older \
             switchyard; move it away, put that line first, or name another folder, `--out DIR`",
            path.display()
        )));
    }
    Ok(())
}

/// Writes a file whole or not at all: somebody may read the old one, or apply it.
///
/// # Errors
/// It cannot be written.
pub fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Nobody else's, and no manifest for whoever reads the folder now.
    let new = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = File::create_new(&new).and_then(|mut file| file.write_all(text.as_bytes()));
    let moved = written.and_then(|()| fs::rename(&new, path));
    if moved.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        // What is left of it takes room on a disk that may be full.
        let _ = fs::remove_file(&new);
    }
    moved.map_err(|error| cannot_write(path, &error))
}
