//! A copy of `manifests/demo` for this run: the same files with what a run has to choose.

use std::fs;
use std::path::{Path, PathBuf};

/// Copies the manifests into `folder` with the ports of these upstreams in place of 3001 and 3002, and the weights of
/// the canary in place of 90 and 10. Errors: a file that cannot be read or written, or that does not have what is to be
/// replaced exactly once.
pub fn copy(folder: &Path, ports: [u16; 2], weights: [u8; 2]) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
    for name in ["destination-rule.yaml", "service-entry.yaml", "switchyard-policy.yaml", "virtual-service.yaml"] {
        let source = source().join(name);
        let mut text = fs::read_to_string(&source).map_err(|error| format!("`{}`: {error}", source.display()))?;
        let replaced = match name {
            "service-entry.yaml" => {
                vec![("http: 3001}", format!("http: {}}}", ports[0])), ("http: 3002}", format!("http: {}}}", ports[1]))]
            }
            "virtual-service.yaml" => {
                vec![
                    ("weight: 90\n", format!("weight: {}\n", weights[0])),
                    ("weight: 10\n", format!("weight: {}\n", weights[1])),
                ]
            }
            _ => Vec::new(),
        };
        for (old, new) in replaced {
            if text.matches(old).count() != 1 {
                return Err(format!("`{}` does not have `{}` exactly once", source.display(), old.trim_end()));
            }
            text = text.replacen(old, &new, 1);
        }
        let target = folder.join(name);
        fs::write(&target, text).map_err(|error| format!("`{}`: {error}", target.display()))?;
    }
    Ok(())
}

/// The manifests as they are in the workspace, from its root.
pub const SOURCE: &str = "manifests/demo";

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(SOURCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_differs_in_ports_and_weights_alone() {
        let folder = tempfile::tempdir().unwrap();
        copy(folder.path(), [3001, 3002], [90, 10]).unwrap();
        let mut names: Vec<_> = fs::read_dir(source()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names.len(), 4, "a manifest that the demo does not copy: {names:?}");
        for name in &names {
            let read = |folder: &Path| fs::read_to_string(folder.join(name)).unwrap();
            assert_eq!(read(folder.path()), read(&source()));
        }
        copy(folder.path(), [1, 2], [50, 50]).unwrap();
        let text = fs::read_to_string(folder.path().join("virtual-service.yaml")).unwrap();
        assert_eq!(text.matches("weight: 50\n").count(), 2, "{text}");
        let text = fs::read_to_string(folder.path().join("service-entry.yaml")).unwrap();
        assert!(text.contains("http: 1}") && text.contains("http: 2}"), "{text}");
    }
}
