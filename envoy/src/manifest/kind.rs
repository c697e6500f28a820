//! Kinds that are read, and what the others would have done.

use crate::diagnostic::nearest;

/// What a manifest is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Istio's: routes.
    VirtualService,
    /// Istio's: subsets.
    DestinationRule,
    /// Istio's: hosts and their endpoints.
    ServiceEntry,
    /// Istio's: listeners.
    Gateway,
    /// Ours: tags and stickiness.
    SwitchyardPolicy,
    /// Ours: requests with what is expected of them, for `switchyard test`.
    Case,
    /// Istio's: endpoints that ServiceEntries select.
    WorkloadEntry,
    /// Kubernetes': a host that exists.
    Service,
    /// Kubernetes': the addresses of a Service's pods.
    EndpointSlice,
    /// Kubernetes': the labels of an address, and its account. Of its `spec` nothing else is read.
    Pod,
    /// Kubernetes': where its pods are. Its `spec` is not read.
    Node,
    /// Anything else.
    Other,
}

const ISTIO: &str = "networking.istio.io";
const OURS: &str = "switchyard.dev";
const ISTIO_VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha3"];

/// Group, kind, versions.
const READ: &[(&str, &str, Kind, &[&str])] = &[
    (ISTIO, "VirtualService", Kind::VirtualService, ISTIO_VERSIONS),
    (ISTIO, "DestinationRule", Kind::DestinationRule, ISTIO_VERSIONS),
    (ISTIO, "ServiceEntry", Kind::ServiceEntry, ISTIO_VERSIONS),
    (ISTIO, "Gateway", Kind::Gateway, ISTIO_VERSIONS),
    (ISTIO, "WorkloadEntry", Kind::WorkloadEntry, ISTIO_VERSIONS),
    (OURS, "SwitchyardPolicy", Kind::SwitchyardPolicy, &["v1alpha1"]),
    (OURS, "Case", Kind::Case, &["v1alpha1"]),
    ("", "Service", Kind::Service, &["v1"]),
    ("discovery.k8s.io", "EndpointSlice", Kind::EndpointSlice, &["v1"]),
    ("", "Pod", Kind::Pod, &["v1"]),
    ("", "Node", Kind::Node, &["v1"]),
];

/// Kinds of Istio's networking group that we know and do not read.
const ISTIO_UNREAD: &[&str] = &["EnvoyFilter", "Sidecar", "WorkloadGroup", "ProxyConfig"];

impl Kind {
    /// What `apiVersion` and `kind` name.
    ///
    /// # Errors
    /// A kind of ours or of Istio's that is not written as it is: the field that is wrong, what is wrong with it and
    /// what to write.
    pub fn of(api_version: &str, kind: &str) -> Result<Self, (&'static str, String, Option<String>)> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        if let Some((_, _, found, versions)) = READ.iter().find(|(g, k, ..)| *g == group && *k == kind) {
            if versions.contains(&version) {
                return Ok(*found);
            }
            // Anything may call itself v2 of the core; ours and Istio's have exactly these.
            let best = if group.is_empty() { versions[0].to_owned() } else { format!("{group}/{}", versions[0]) };
            return Err((
                "apiVersion",
                format!("`{api_version}` is no version of {kind} that is read"),
                Some(format!("write `{best}`")),
            ));
        }
        if group == ISTIO || group == OURS {
            if group == ISTIO && ISTIO_UNREAD.contains(&kind) {
                return Ok(Self::Other);
            }
            let known = READ.iter().filter(|(g, ..)| *g == group).map(|(_, k, ..)| *k);
            let help = nearest(kind, known).map(|kind| format!("did you mean `{kind}`?"));
            return Err(("kind", format!("unknown kind `{kind}` of `{group}`"), help));
        }
        // `networking.istio.o/v1`: a kind of ours or Istio's under a group that nearly is one.
        if let Some((meant, ..)) = READ.iter().find(|(g, k, ..)| !g.is_empty() && *k == kind)
            && (nearest(group, [*meant]).is_some() || group.is_empty())
        {
            return Err((
                "apiVersion",
                format!("unknown apiVersion `{api_version}` of {kind}"),
                Some(format!("did you mean `{meant}/{}`?", if *meant == OURS { "v1alpha1" } else { "v1" })),
            ));
        }
        Ok(Self::Other)
    }
}

/// What is lost when a manifest is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Nothing that decides requests.
    Harmless,
    /// Something that the mesh does with requests.
    Lost(&'static str),
}

impl Unread {
    /// What `apiVersion` and `kind` would have done in a mesh.
    pub fn of(api_version: &str, kind: &str) -> Self {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        match (group, kind) {
            ("security.istio.io", "AuthorizationPolicy") => Self::Lost("requests that it denies would be let through"),
            ("security.istio.io", "RequestAuthentication") => Self::Lost("tokens would not be checked"),
            ("security.istio.io", "PeerAuthentication") => Self::Lost("plaintext callers would be let in"),
            (ISTIO, "EnvoyFilter") => Self::Lost("its patches would be missing"),
            (ISTIO, "Sidecar") => Self::Lost("hosts that it hides would be reachable"),
            _ => Self::Harmless,
        }
    }

    /// What is lost, if anything.
    pub fn lost(self) -> Option<&'static str> {
        if let Self::Lost(why) = self { Some(why) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_group_and_version() {
        for version in ["v1", "v1beta1", "v1alpha3"] {
            assert_eq!(Kind::of(&format!("networking.istio.io/{version}"), "Gateway"), Ok(Kind::Gateway));
        }
        assert_eq!(Kind::of("switchyard.dev/v1alpha1", "SwitchyardPolicy"), Ok(Kind::SwitchyardPolicy));
        assert_eq!(Kind::of("v1", "Service"), Ok(Kind::Service));
        let others = [
            ("apps/v1", "Deployment"),
            ("serving.knative.dev/v1", "Service"),
            ("gateway.networking.k8s.io/v1", "Gateway"),
            ("networking.istio.io/v1", "WorkloadGroup"),
            ("example.com/v1", "VirtualService"),
            ("v1", "ConfigMap"),
        ];
        for (api_version, kind) in others {
            assert_eq!(Kind::of(api_version, kind), Ok(Kind::Other), "{api_version} {kind}");
        }
    }

    #[test]
    fn a_kind_that_is_nearly_right_is_told() {
        let told = |api_version, kind| {
            let (field, message, help) = Kind::of(api_version, kind).expect_err("wrong");
            format!("{field}: {message}; {}", help.unwrap_or_default())
        };
        assert_eq!(
            told("networking.istio.io/v2", "VirtualService"),
            "apiVersion: `networking.istio.io/v2` is no version of VirtualService that is read; write `networking.istio.io/v1`"
        );
        assert_eq!(
            told("networking.istio.io/v1", "Virtualservice"),
            "kind: unknown kind `Virtualservice` of `networking.istio.io`; did you mean `VirtualService`?"
        );
        assert_eq!(
            told("network.istio.io/v1", "VirtualService"),
            "apiVersion: unknown apiVersion `network.istio.io/v1` of VirtualService; did you mean `networking.istio.io/v1`?"
        );
        assert_eq!(
            told("v1", "SwitchyardPolicy"),
            "apiVersion: unknown apiVersion `v1` of SwitchyardPolicy; did you mean `switchyard.dev/v1alpha1`?"
        );
        assert_eq!(told("switchyard.dev/v1alpha1", "Tags"), "kind: unknown kind `Tags` of `switchyard.dev`; ");
    }

    #[test]
    fn what_a_mesh_would_do_is_known() {
        let lost = [
            ("security.istio.io/v1", "AuthorizationPolicy"),
            ("security.istio.io/v1beta1", "RequestAuthentication"),
            ("security.istio.io/v1", "PeerAuthentication"),
            ("networking.istio.io/v1alpha3", "EnvoyFilter"),
            ("networking.istio.io/v1", "Sidecar"),
        ];
        for (api_version, kind) in lost {
            assert!(Unread::of(api_version, kind).lost().is_some(), "{kind}");
        }
        assert_eq!(Unread::of("apps/v1", "Deployment"), Unread::Harmless);
    }
}
