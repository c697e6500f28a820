//! Which proxies it is for.

mod labels;

use super::{Settings, Via};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::{Kind, Manifest, Manifests};
use crate::translate::selects;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use switchyard_filter::compile::is_label;

/// The API group of Kubernetes' own Gateways and routes.
pub const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// Which proxies were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// Every workload of the proxy's namespace.
    #[default]
    Namespace,
    /// Workloads with these labels: a gateway where a Gateway of the manifests selects them, else sidecars.
    Workload {
        /// Their namespace.
        namespace: String,
        /// Labels that they all have.
        labels: BTreeMap<String, String>,
    },
    /// The proxies that a Gateway of Istio's selects.
    Gateway {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// What a resource of Kubernetes' Gateway API stands for: a gateway or a waypoint.
    Target {
        /// Its namespace.
        namespace: String,
        /// Its kind.
        kind: TargetKind,
        /// Its name.
        name: String,
    },
}

/// A kind that a WasmPlugin can target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A Gateway of the Gateway API: a gateway, or a waypoint by its class.
    Gateway,
    /// A Service behind a waypoint.
    Service,
    /// A ServiceEntry behind a waypoint.
    ServiceEntry,
}

impl TargetKind {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Gateway, "Gateway", GATEWAY_API),
        (Self::Service, "Service", ""),
        (Self::ServiceEntry, "ServiceEntry", "networking.istio.io"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }

    fn group(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(.., group)| group)
    }
}

impl Selection {
    /// Reads `NS/KEY=VALUE[,KEY=VALUE…]`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn workload(text: &str) -> Result<Self, String> {
        let wanted = || "write `NAMESPACE/KEY=VALUE`, with `,KEY=VALUE` for more labels".to_owned();
        // A label's key may have a `/` of its own: the first one ends the namespace.
        let (namespace, labels) = text.split_once('/').filter(|(ns, _)| is_label(ns)).ok_or_else(wanted)?;
        Ok(Self::Workload { namespace: namespace.into(), labels: labels::read(labels)? })
    }

    /// Reads `NS/NAME`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn gateway(text: &str) -> Result<Self, String> {
        match text.split_once('/').filter(|(ns, name)| is_label(ns) && is_name(name)) {
            Some((namespace, name)) => Ok(Self::Gateway { namespace: namespace.into(), name: name.into() }),
            None => Err("write `NAMESPACE/NAME` of a Gateway (networking.istio.io)".into()),
        }
    }

    /// Reads `NS/KIND/NAME`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn target(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split('/').collect();
        let [namespace, kind, name] = parts.as_slice() else {
            return Err("write `NAMESPACE/KIND/NAME`".into());
        };
        let known = TargetKind::ALL.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(kind));
        let Some((kind, ..)) = known else {
            return Err("write one of the kinds `Gateway` (of the Gateway API), `Service`, `ServiceEntry`".into());
        };
        if !is_label(namespace) || !is_name(name) {
            return Err("write `NAMESPACE/KIND/NAME`".into());
        }
        Ok(Self::Target { namespace: (*namespace).into(), kind: *kind, name: (*name).into() })
    }
}

fn is_name(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// What a proxy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Beside a workload: its outbound listeners.
    Sidecar,
    /// A gateway of Istio's Gateways.
    Gateway,
    /// A gateway of a Gateway of the Gateway API.
    GatewayApi,
    /// A waypoint.
    Waypoint,
}

/// How resources select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// All of their namespace.
    Namespace,
    /// By labels.
    Labels(BTreeMap<String, String>),
    /// By `targetRefs`.
    Target(TargetKind, String),
}

/// Which proxies, with these manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What they are.
    pub place: Place,
    /// The namespace to write to.
    pub namespace: String,
    /// Whether that is Istio's root namespace: what lies there is for workloads of every namespace.
    pub everywhere: bool,
    /// How resources select them.
    pub selector: Selector,
    /// Gateways (`namespace/name`) that are theirs.
    pub gateways: BTreeSet<String>,
    /// Labels that they all have.
    pub labels: BTreeMap<String, String>,
}

impl Target {
    /// Whether clients of the mesh's outside come to it.
    pub fn is_gateway(&self) -> bool {
        matches!(self.place, Place::Gateway | Place::GatewayApi)
    }

    /// The fields of a WasmPlugin's spec.
    pub fn of_plugin(&self) -> Vec<(&'static str, Value)> {
        match &self.selector {
            Selector::Labels(labels) => vec![("selector", json!({"matchLabels": labels}))],
            other => other.refs(),
        }
    }

    /// The fields of an EnvoyFilter's spec.
    pub fn of_envoy_filter(&self) -> Vec<(&'static str, Value)> {
        match &self.selector {
            Selector::Labels(labels) => vec![("workloadSelector", json!({"labels": labels}))],
            other => other.refs(),
        }
    }
}

impl Selector {
    fn refs(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Target(kind, name) => {
                vec![("targetRefs", json!([{"group": kind.group(), "kind": kind.name(), "name": name}]))]
            }
            _ => vec![],
        }
    }
}

/// `the gateway …`, `sidecars …`: for a comment.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.place {
            Place::Sidecar => "the sidecars",
            Place::Gateway | Place::GatewayApi => "the gateways",
            Place::Waypoint => "the waypoints",
        };
        let namespace = &self.namespace;
        match &self.selector {
            Selector::Namespace => write!(f, "{what} of every workload of namespace {namespace}"),
            Selector::Target(kind, name) => write!(f, "{what} of {} {namespace}/{name}", kind.name()),
            Selector::Labels(labels) => {
                write!(f, "{what} of workloads {} (from namespace {namespace})", super::workload::shown(labels))
            }
        }
    }
}

/// What the selection means with these manifests.
pub fn resolve(manifests: &Manifests, settings: &Settings) -> Result<Target, Vec<Diagnostic>> {
    let one = |found: Diagnostic| vec![found];
    match &settings.selection {
        Selection::Namespace if manifests.namespace == settings.root_namespace => {
            let message = format!(
                "namespace `{}` is Istio's own: that would be every proxy of the mesh",
                settings.root_namespace
            );
            Err(one(
                Diagnostic::unplaced(message).help("name workloads: `--workload NS/KEY=VALUE`, or `--gateway NS/NAME`")
            ))
        }
        Selection::Namespace => Ok(Target {
            place: Place::Sidecar,
            namespace: manifests.namespace.clone(),
            everywhere: false,
            selector: Selector::Namespace,
            gateways: BTreeSet::new(),
            labels: BTreeMap::new(),
        }),
        Selection::Workload { namespace, labels } => {
            let gateways = gateways_of(manifests, labels, false);
            let place = if gateways.is_empty() { Place::Sidecar } else { Place::Gateway };
            Ok(Target {
                place,
                namespace: namespace.clone(),
                everywhere: *namespace == settings.root_namespace,
                selector: Selector::Labels(labels.clone()),
                gateways: if place == Place::Gateway { gateways_of(manifests, labels, true) } else { gateways },
                labels: labels.clone(),
            })
        }
        Selection::Gateway { namespace, name } => {
            let id = format!("{namespace}/{name}");
            let found = manifests.of(Kind::Gateway).find(|manifest| self::id(manifest) == id);
            let Some(manifest) = found else {
                let all: Vec<_> = manifests.of(Kind::Gateway).map(self::id).collect();
                let mut error = Diagnostic::unplaced(format!("there is no Gateway `{id}` among the manifests"));
                error.help = did_you_mean(&id, all.iter().map(String::as_str));
                return Err(one(error));
            };
            let labels = selector_of(manifest);
            if labels.is_empty() {
                let path = crate::yaml::Path::root().field("spec");
                let message = format!("the Gateway `{id}` has no `selector`: that would be every proxy of the mesh");
                return Err(one(manifest.error(&path, &message).help("name its proxies: `--workload NS/KEY=VALUE`")));
            }
            Ok(Target {
                place: Place::Gateway,
                // Where its pods are is not known here; from the root namespace they are found in any.
                namespace: settings.root_namespace.clone(),
                everywhere: true,
                selector: Selector::Labels(labels.clone()),
                // Others on the same pods are others' to ask for.
                gateways: BTreeSet::from([id]),
                labels,
            })
        }
        Selection::Target { namespace, kind, name } => target(manifests, settings, namespace, *kind, name),
    }
}

fn target(
    manifests: &Manifests,
    settings: &Settings,
    namespace: &str,
    kind: TargetKind,
    name: &str,
) -> Result<Target, Vec<Diagnostic>> {
    let id = format!("{namespace}/{name}");
    let manifest = api_gateway(manifests, &id).filter(|_| kind == TargetKind::Gateway);
    let class = |manifest: &Manifest| {
        let class = manifest.node.get("spec")?.get("gatewayClassName")?;
        class.as_str().map(|class| class.contains("waypoint"))
    };
    let is_waypoint = kind != TargetKind::Gateway || manifest.and_then(class) == Some(true);
    let place = if is_waypoint { Place::Waypoint } else { Place::GatewayApi };
    if settings.via == Via::ClusterHeader {
        if is_waypoint {
            let message = format!("`{}` stands for a waypoint, where EnvoyFilters do nothing", kind.name());
            return Err(vec![Diagnostic::unplaced(message).help("only tags reach a waypoint: `--via tags`")]);
        }
        if manifest.is_none() {
            let message = format!("there is no Gateway `{id}` of the Gateway API among the manifests");
            let help = "its listeners say which ports and hosts there are: add it";
            return Err(vec![Diagnostic::unplaced(message).help(help)]);
        }
    }
    Ok(Target {
        place,
        namespace: namespace.into(),
        everywhere: false,
        selector: Selector::Target(kind, name.into()),
        gateways: if is_waypoint { BTreeSet::new() } else { BTreeSet::from([id]) },
        labels: BTreeMap::new(),
    })
}

/// A Gateway of the Gateway API.
pub fn api_gateway<'a>(manifests: &'a Manifests, id: &str) -> Option<&'a Manifest> {
    manifests.unread.iter().find(|manifest| {
        manifest.kind_name == "Gateway"
            && manifest.api_version.strip_prefix(GATEWAY_API).is_some_and(|version| version.starts_with('/'))
            && self::id(manifest) == id
    })
}

fn id(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.namespace, manifest.name)
}

/// The Gateways that select proxies with these labels; those that select every proxy only where `and_all`.
fn gateways_of(manifests: &Manifests, labels: &BTreeMap<String, String>, and_all: bool) -> BTreeSet<String> {
    let is_theirs = |manifest: &&Manifest| {
        let selector = selector_of(manifest);
        (and_all || !selector.is_empty()) && selects(&selector, labels)
    };
    manifests.of(Kind::Gateway).filter(is_theirs).map(id).collect()
}

/// The labels that a Gateway asks for.
pub fn selector_of(manifest: &Manifest) -> BTreeMap<String, String> {
    manifest.node.get("spec").and_then(|spec| spec.get("selector")).map(super::workload::pairs).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_selected_is_read() {
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert_eq!(
            Selection::workload("shop/app=front,example.com/tier=a"),
            Ok(Selection::Workload {
                namespace: "shop".into(),
                labels: labels(&[("app", "front"), ("example.com/tier", "a")])
            })
        );
        assert_eq!(
            Selection::gateway("shop/edge"),
            Ok(Selection::Gateway { namespace: "shop".into(), name: "edge".into() })
        );
        assert_eq!(
            Selection::target("shop/service/cart"),
            Ok(Selection::Target { namespace: "shop".into(), kind: TargetKind::Service, name: "cart".into() })
        );
        for wrong in ["app=front", "shop/", "shop/=a", "Shop/a=b", "shop/a=b,", ""] {
            assert!(Selection::workload(wrong).is_err(), "{wrong}");
        }
        for wrong in ["edge", "shop/", "/edge", "shop/Edge", "a/b/c"] {
            assert!(Selection::gateway(wrong).is_err(), "{wrong}");
        }
        for wrong in ["shop/edge", "shop/Pod/a", "shop/Gateway/", "a/Gateway/b/c"] {
            assert!(Selection::target(wrong).is_err(), "{wrong}");
        }
    }
}
