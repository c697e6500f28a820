//! Istio's Sidecar resources: the VirtualServices that a sidecar imports (`SidecarScope` of istiod). One that it does not
//! import is not in force there, and what it routes to need not be known.

use super::selection::{Place, Target};
use super::workload::{Labels, pairs};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifest, Manifests};
use crate::translate::{covers, selects};
use crate::yaml::{Node, Path};
use switchyard_filter::compile::resolve;

/// What is not imported.
#[derive(Debug, Default)]
pub struct Hidden {
    /// It.
    pub manifests: Vec<Manifest>,
    /// What is said of it.
    pub told: Vec<Diagnostic>,
}

/// Takes out what the target's sidecars do not import.
pub fn hide(manifests: &mut Manifests, of: &Manifests, target: &Target, root: &str, domain: &str) -> Hidden {
    if target.place != Place::Sidecar {
        return Hidden::default();
    }
    let (found, told) = sidecar(of, target, root);
    let mut hidden = Hidden { manifests: vec![], told };
    let Some(sidecar) = found else { return hidden };
    let Some(imports) = imports(sidecar, target) else { return hidden };
    hidden.told.extend(by_port(sidecar));
    let id = format!("{}/{}", sidecar.namespace, sidecar.name);
    let all = std::mem::take(&mut manifests.all);
    let is_kept =
        |manifest: &Manifest| manifest.kind != Kind::VirtualService || is_imported(manifest, &imports, domain);
    (manifests.all, hidden.manifests) = all.into_iter().partition(is_kept);
    for manifest in &hidden.manifests {
        let message = format!("the Sidecar `{id}` does not import this: here it is not in force, and not embedded");
        let found = manifest.warning(&Path::root().field("metadata").field("name"), &message).code("not-exported");
        hidden.told.push(found.also(sidecar.place(&Path::root().field("spec").field("egress")), "what it imports"));
    }
    hidden
}

/// The Sidecar that counts: one of their namespace with labels of theirs, else its one without, else the root namespace's.
/// Those that are for a part of these workloads are told.
fn sidecar<'a>(of: &'a Manifests, target: &Target, root: &str) -> (Option<&'a Manifest>, Vec<Diagnostic>) {
    let is_ours = |manifest: &&Manifest| {
        manifest.kind_name == "Sidecar" && manifest.api_version.starts_with("networking.istio.io/")
    };
    let mut all: Vec<_> = of.unread.iter().filter(is_ours).collect();
    // istiod takes the oldest.
    all.sort_by_key(|manifest| (manifest.creation_timestamp.clone(), manifest.name.clone()));
    let own = || all.iter().copied().filter(|manifest| manifest.namespace == target.namespace);
    let by_labels = own().find(|manifest| labels(manifest).is_some_and(|labels| selects(&labels, &target.labels)));
    let told = own().filter(|_| by_labels.is_none()).filter(|manifest| labels(manifest).is_some()).map(|manifest| {
        let message = "this may be for some of these workloads: what it hides from them is embedded all the same";
        let path = Path::root().field("spec").field("workloadSelector");
        manifest.warning(&path, message).code("ignored-field").help("generate for those workloads, by these labels")
    });
    let told = told.collect();
    let default = || own().find(|manifest| labels(manifest).is_none());
    let roots = || all.iter().copied().find(|manifest| manifest.namespace == root && labels(manifest).is_none());
    (by_labels.or_else(default).or_else(roots), told)
}

/// The labels that it selects; `None`: it has no selector. An empty one selects every workload of its namespace, and makes a
/// Sidecar of the root namespace one for that alone (`initSidecarScopes`).
fn labels(sidecar: &Manifest) -> Option<Labels> {
    let selector = sidecar.node.get("spec")?.get("workloadSelector").filter(|selector| !selector.is_null())?;
    Some(selector.get("labels").map(pairs).unwrap_or_default())
}

/// Namespace (`*`: every one) and host of what it imports; `None`: everything.
fn imports(sidecar: &Manifest, target: &Target) -> Option<Vec<(String, String)>> {
    let egress = sidecar.node.get("spec")?.get("egress")?.items();
    if egress.is_empty() {
        return None;
    }
    let hosts = egress.iter().filter_map(|listener| listener.get("hosts")).flat_map(Node::items);
    let pair = |host: &Node| {
        let (namespace, host) = host.as_str()?.split_once('/')?;
        // `.` is the namespace of the proxy, also in the root namespace's.
        let namespace = if namespace == "." { target.namespace.as_str() } else { namespace };
        Some((namespace.to_owned(), host.to_ascii_lowercase()))
    };
    Some(hosts.filter_map(pair).collect())
}

/// Says what is embedded for every port and imported for some only: no document is for one of them.
fn by_port(sidecar: &Manifest) -> Option<Diagnostic> {
    let egress = sidecar.node.get("spec")?.get("egress")?.items();
    let at = egress.iter().position(|listener| listener.get("port").is_some_and(|port| !port.is_null()))?;
    let message = "this is imported at one port only: what is embedded decides at every port";
    let path = Path::root().field("spec").field("egress").index(at).field("port");
    Some(sidecar.warning(&path, message).code("ignored-field").help("leave `port` out, or leave these hosts to Istio"))
}

/// Whether one of its hosts is imported; what has none is imported with whoever delegates to it.
fn is_imported(manifest: &Manifest, imports: &[(String, String)], domain: &str) -> bool {
    let hosts = manifest.node.get("spec").and_then(|spec| spec.get("hosts")).map(Node::items).unwrap_or_default();
    let meets = |host: &Node| {
        let Some(host) = host.as_str().map(|host| resolve(host, &manifest.namespace, domain)) else { return true };
        imports.iter().any(|(namespace, imported)| {
            (namespace == "*" || *namespace == manifest.namespace)
                && (covers(imported, &host) || covers(&host, imported))
        })
    };
    hosts.is_empty() || hosts.iter().any(meets)
}
