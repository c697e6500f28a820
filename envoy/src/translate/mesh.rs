//! What counts in the mesh where a manifest says nothing: Istio's defaults, or what `--mesh-config` says.

mod check;

use super::{Notes, spec};
use crate::diagnostic::{Diagnostic, sort};
use crate::manifest::{
    Duration, Input, LocalityLbSetting, MeshConfig, MeshH2Upgrade, TcpKeepalive, find_mesh_config as find,
};
use std::collections::BTreeSet;
use switchyard_filter::document::HttpRetry;
use switchyard_filter::read::read_on;

/// What begins a name of SPIFFE.
const SPIFFE: &str = "spiffe://";

/// What counts in the mesh where a manifest says nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Mesh {
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// Whether the system asks if the other side is still there.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// Whether HTTP/2 is spoken to ports that are HTTP's and do not say which.
    pub upgrades_to_http2: bool,
    /// How endpoints are chosen by where they are.
    pub locality_lb_setting: LocalityLbSetting,
    /// When requests of rules that do not say are tried again; `None`: as the filter has it, which is Istio's default.
    pub retries: Option<HttpRetry>,
    /// The namespace whose rules count for everybody who has no other.
    pub root_namespace: String,
    /// Who sees services that do not say.
    pub services: DefaultExport,
    /// Who sees VirtualServices that do not say.
    pub virtual_services: DefaultExport,
    /// Who sees DestinationRules that do not say.
    pub destination_rules: DefaultExport,
    /// What the names in certificates of workloads begin with.
    pub trust_domain: String,
    /// Others that the same workloads have.
    pub trust_domain_aliases: Vec<String>,
    /// How often names are asked for that were not found.
    pub dns_refresh_rate: Duration,
    /// How many proxies in front of gateways are trusted to say who the client is, where `--trusted-hops` does not say.
    pub trusted_proxies: u32,
    /// Fields that were written and are not read, for a note.
    pub unread: Vec<String>,
    /// What to look at, though nothing is wrong.
    pub warnings: Vec<Diagnostic>,
    /// What an Envoy would do otherwise of which all is ours: errors where nobody would see it. In a mesh, and around
    /// parts, others do it.
    pub lost: Vec<Diagnostic>,
}

/// Istio's `mesh.DefaultMeshConfig` (istio.md 5.1).
impl Default for Mesh {
    fn default() -> Self {
        Self {
            connect_timeout: Duration { ms: 10_000 },
            tcp_keepalive: None,
            upgrades_to_http2: false,
            locality_lb_setting: LocalityLbSetting::default(),
            retries: None,
            root_namespace: crate::istio::ROOT_NAMESPACE.to_owned(),
            services: DefaultExport::default(),
            virtual_services: DefaultExport::default(),
            destination_rules: DefaultExport::default(),
            trust_domain: "cluster.local".to_owned(),
            trust_domain_aliases: vec![],
            dns_refresh_rate: Duration { ms: 60_000 },
            trusted_proxies: 0,
            unread: vec![],
            warnings: vec![],
            lost: vec![],
        }
    }
}

impl Mesh {
    /// Reads Istio's `MeshConfig`, in any of the forms of [`find`]. As in istiod, a field that is written replaces the
    /// default as a whole (`mesh.ApplyMeshConfig`).
    ///
    /// # Errors
    /// Everything that is wrong with it, each at its place.
    pub fn read(input: Input) -> Result<Self, Vec<Diagnostic>> {
        let manifest = find(input)?;
        let mut notes = Notes::default();
        // What is there in spite of unknown fields is checked too, so that everything that is wrong is told at once.
        let (written, errors) = read_on::<MeshConfig>(&manifest.spec());
        notes.all.extend(errors.iter().map(|error| manifest.error(&spec(&error.path), &error.message)));
        if let Some(written) = &written {
            check::check(&manifest, written, &mut notes);
        }
        sort(&mut notes.all);
        let Some(written) = written.filter(|_| !notes.all.iter().any(Diagnostic::is_error)) else {
            return Err(notes.all);
        };
        Ok(Self { warnings: notes.all, lost: check::lost(&manifest, &written), ..Self::of(written) })
    }

    fn of(written: MeshConfig) -> Self {
        let default = Self::default();
        let unread = written.unread();
        let topology = written.default_config.and_then(|config| config.gateway_topology);
        Self {
            connect_timeout: written.connect_timeout.unwrap_or(default.connect_timeout),
            tcp_keepalive: written.tcp_keepalive,
            upgrades_to_http2: written.h2_upgrade_policy == MeshH2Upgrade::Upgrade,
            locality_lb_setting: written.locality_lb_setting.unwrap_or_default(),
            retries: written.default_http_retry_policy,
            root_namespace: written.root_namespace.unwrap_or(default.root_namespace),
            services: DefaultExport::of(written.default_service_export_to),
            virtual_services: DefaultExport::of(written.default_virtual_service_export_to),
            destination_rules: DefaultExport::of(written.default_destination_rule_export_to),
            trust_domain: written.trust_domain.unwrap_or(default.trust_domain),
            trust_domain_aliases: written.trust_domain_aliases,
            dns_refresh_rate: written.dns_refresh_rate.unwrap_or(default.dns_refresh_rate),
            trusted_proxies: topology.map_or(0, |topology| topology.num_trusted_proxies),
            unread,
            warnings: vec![],
            lost: vec![],
        }
    }

    /// What the certificate of a workload says.
    pub fn identity(&self, namespace: &str, account: &str) -> String {
        format!("{SPIFFE}{}/ns/{namespace}/sa/{account}", self.trust_domain)
    }

    /// Names of certificates, with those that the same workloads have in other trust domains (`ExpandWithTrustDomains`).
    pub fn with_aliases(&self, names: &BTreeSet<String>) -> Vec<String> {
        let alias = |name: &String| {
            let parts: Vec<&str> = name.strip_prefix(SPIFFE)?.split('/').collect();
            let [_, "ns", namespace, "sa", account] = parts.as_slice() else { return None };
            let (namespace, account) = ((*namespace).to_owned(), (*account).to_owned());
            let also = move |domain: &String| format!("{SPIFFE}{domain}/ns/{namespace}/sa/{account}");
            Some(self.trust_domain_aliases.iter().map(also))
        };
        let others: BTreeSet<String> = names.iter().filter_map(alias).flatten().collect();
        names.union(&others).cloned().collect()
    }
}

/// Who sees what does not say it: `default…ExportTo`, as written; empty: everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultExport(Vec<String>);

impl DefaultExport {
    /// Of namespaces, `.` for the own one, `*` for all.
    pub fn of(written: Vec<String>) -> Self {
        Self(written)
    }

    /// Whether it is its own namespace alone: `.` comes first, whatever else there is.
    pub fn is_private(&self) -> bool {
        self.has(".")
    }

    /// Who sees something with this `exportTo`. Where it does not say, istiod looks for `.` and for `*` and for nothing
    /// else: other names are nobody's (`initServiceRegistry`, `initVirtualServices`).
    pub fn or_default(&self, written: &[String]) -> Vec<String> {
        if !written.is_empty() || self.0.is_empty() {
            return written.to_vec();
        }
        let meant = if self.is_private() {
            "."
        } else if self.has("*") {
            "*"
        } else {
            "~"
        };
        vec![meant.to_owned()]
    }

    /// The same of a delegate, for whom every name counts (`mergeVirtualServicesIfNeeded`).
    pub fn or_default_of_delegate(&self, written: &[String]) -> Vec<String> {
        if !written.is_empty() || self.0.is_empty() {
            return written.to_vec();
        }
        if self.has("*") {
            return vec!["*".to_owned()];
        }
        // Beside a name `~` says nothing.
        let named: Vec<String> = self.0.iter().filter(|name| *name != "~").cloned().collect();
        if named.is_empty() { vec!["~".to_owned()] } else { named }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|one| one == name)
    }
}

#[cfg(test)]
mod tests;
