//! The folder is no manifest's: what is written there would be read as manifests by the next call.

use crate::cli::failure::Failure;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Looks before anything is written.
///
/// # Errors
/// The folder lies in a folder that manifests are read from, or holds one of them.
pub fn check(out: &Path, manifests: &[String]) -> Result<(), Failure> {
    let folder = real(out);
    for manifest in manifests.iter().filter(|manifest| *manifest != "-") {
        let read = real(Path::new(manifest));
        let what = if folder == read {
            "is the folder of the manifests"
        } else if folder.starts_with(&read) {
            "lies in the folder of the manifests"
        } else if read.starts_with(&folder) {
            "holds the manifests"
        } else {
            continue;
        };
        return Err(Failure::File(format!(
            "`--out {}` {what} `{manifest}`: Envoy's files are no manifests; name a folder of its own, beside it",
            out.display()
        )));
    }
    Ok(())
}

/// Where it is, links followed as far as there is something.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut real = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                real.pop();
            }
            part => real.push(part),
        }
        if let Ok(found) = fs::canonicalize(&real) {
            real = found;
        }
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn a_folder_of_manifests_is_not_written_to() {
        let temporary = TempDir::new().unwrap();
        let at = |name: &str| temporary.path().join(name);
        fs::create_dir_all(at("shop/live")).unwrap();
        fs::write(at("shop/live/vs.yaml"), "").unwrap();
        std::os::unix::fs::symlink(at("shop"), at("link")).unwrap();
        let told = |out: &str, manifest: &str| match check(&at(out), &[at(manifest).display().to_string()]) {
            Ok(()) => String::new(),
            Err(Failure::File(message)) => message,
            Err(other) => panic!("{other:?}"),
        };
        assert!(told("shop", "shop").contains("is the folder of the manifests"));
        assert!(told("shop/live", "shop").contains("lies in the folder of the manifests"));
        assert!(told("link/new/../live", "shop").contains("lies in the folder of the manifests"));
        assert!(told("shop/live", "shop/live/vs.yaml").contains("holds the manifests"));
        for (out, manifest) in [("live", "shop"), ("shop-live", "shop"), ("shop/new", "shop/live/vs.yaml")] {
            assert_eq!(told(out, manifest), "");
        }
        check(&at("shop"), &["-".to_owned()]).unwrap();
    }
}
