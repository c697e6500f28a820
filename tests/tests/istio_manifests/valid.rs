//! Every file of `manifests/` is one that the API server takes, as it is committed.

use super::workshop::{DEPLOYER, MANIFESTS, Workshop};
use std::fs;
use std::path::{Path, PathBuf};

/// Each kustomization, wherever it lies, and the demo's manifests, which have other hosts' places here.
pub async fn each_file_is_valid_to_the_api_server(workshop: &Workshop) {
    let mut files = Vec::new();
    below(Path::new(MANIFESTS), &mut files);
    let (mut folders, mut alone) = (0, 0);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (path, folder) = (file.display().to_string(), file.parent().unwrap().display().to_string());
        if file.ends_with("kustomization.yaml") && is_kind(&text, "Kustomization") {
            folders += 1;
            is_valid(workshop, ["-k", &folder]).await;
            if folder.contains("/overlays/") {
                no_pod_comes_before_its_plugin(workshop, &folder).await;
            }
        } else if folder.ends_with("/demo") && !is_kind(&text, "SwitchyardPolicy") {
            alone += 1;
            is_valid(workshop, ["-f", &path]).await;
        }
    }
    assert!(folders >= 7 && alone >= 3, "{folders} kustomizations, {alone} files of the demo");
}

async fn is_valid(workshop: &Workshop, what: [&str; 2]) {
    let strictly = ["apply", "--dry-run=server", "--validate=strict", "--as", DEPLOYER];
    workshop.chain.kubectl(&[&strictly[..], &what].concat()).await.unwrap();
}

/// Objects are sent in this order.
async fn no_pod_comes_before_its_plugin(workshop: &Workshop, overlay: &str) {
    let all = workshop.chain.kubectl(&["kustomize", overlay]).await.unwrap();
    let kinds: Vec<_> = all.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    assert_eq!(kinds.first(), Some(&"Namespace"));
    let first_pod = kinds.iter().position(|kind| *kind == "Deployment").unwrap();
    assert!(kinds.iter().rposition(|kind| *kind == "WasmPlugin").unwrap() < first_pod, "{overlay}: {kinds:?}");
}

fn is_kind(text: &str, kind: &str) -> bool {
    text.lines().any(|line| line.strip_prefix("kind: ") == Some(kind))
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, files);
        } else {
            files.push(path);
        }
    }
}
