//! Where the parts of a document come from.

use crate::diagnostic::Diagnostic;
use crate::manifest::Manifest;
use crate::yaml::Path;
use std::collections::BTreeMap;
use switchyard_filter::Error;

/// Field paths of a document, each with the manifest and the field that it was made of.
#[derive(Debug, Default)]
pub struct Origins {
    all: BTreeMap<Path, Origin>,
}

#[derive(Debug)]
struct Origin {
    manifest: usize,
    path: Path,
    /// What follows in the document's path follows in the manifest's.
    same_below: bool,
}

impl Origins {
    /// `document` was taken from `path` of a manifest as it is.
    pub fn copied(&mut self, document: &str, manifest: usize, path: Path) {
        self.all.insert(Path::parse(document), Origin { manifest, path, same_below: true });
    }

    /// `document` was made of what is at `path` of a manifest.
    pub fn made(&mut self, document: &str, manifest: usize, path: Path) {
        self.all.insert(Path::parse(document), Origin { manifest, path, same_below: false });
    }

    /// The manifest and the field in it that a field of the document comes from.
    pub fn find(&self, document: &Path) -> Option<(usize, Path)> {
        (0..=document.0.len()).rev().find_map(|length| {
            let (prefix, rest) = document.0.split_at_checked(length)?;
            let origin = self.all.get(&Path(prefix.to_vec()))?;
            let rest = if origin.same_below { rest } else { &[] };
            Some((origin.manifest, origin.path.clone().join(rest)))
        })
    }

    /// An error of the filter's compiler, at the manifest that caused it.
    pub fn diagnostic(&self, manifests: &[Manifest], error: &Error) -> Diagnostic {
        let document = Path::parse(&error.path);
        match self.find(&document).and_then(|(index, path)| Some((manifests.get(index)?, path))) {
            Some((manifest, path)) => manifest.error(&path, &error.message),
            None => Diagnostic::unplaced(error.message.as_str()).field(error.path.as_str()),
        }
    }
}
