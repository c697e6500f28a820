//! The proxy that is generated for: its labels and where it is.

use super::locality::Locality;
use super::{Model, Options, Origin, spec};
use crate::diagnostic::Diagnostic;
use std::collections::BTreeMap;
use std::path::Path;

impl Options {
    /// Its labels, with those that Istio gives a workload where it is.
    pub(super) fn proxy_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        Locality::parse(&self.locality).label(&mut labels);
        labels
    }
}

impl Model<'_> {
    /// Where the proxy is.
    pub fn locality(&self) -> Locality {
        Locality::parse(&self.options.locality)
    }

    /// Whether it is a gateway, and nothing beside a workload (istio.md 2.0, 2.2: it forwards and sniffs nothing).
    pub fn is_gateway(&self) -> bool {
        !self.has_mesh()
    }

    /// The proxy's labels, with those of its place.
    pub fn proxy_labels(&self) -> BTreeMap<String, String> {
        self.options.proxy_labels()
    }

    /// An error at a field of a manifest.
    pub fn error(&self, at: &Origin, message: &str) -> Diagnostic {
        match self.manifests.all.get(at.manifest) {
            Some(manifest) => manifest.error(&spec(&at.field), message),
            None => Diagnostic::unplaced(message).field(at.field.as_str()),
        }
    }

    /// The folder of certificates, `--certs`.
    pub fn certs(&self) -> Option<&Path> {
        self.options.certs.as_deref()
    }
}
