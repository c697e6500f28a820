//! The endpoints of a Service.

use super::super::super::Mesh;
use super::super::entry::{Lent, placed};
use super::super::pod::Pods;
use super::super::workload::Workload;
use super::super::{Endpoint, KnownPort, Resolve};
use super::{Beside, Slice};
use crate::manifest::{Manifest, Service, ServicePort, WorkloadEntry};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Where endpoints of a Service are found.
pub struct Endpoints<'a> {
    /// Its full host name.
    pub host: &'a str,
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// It.
    pub service: &'a Service,
    /// Its ports that count.
    pub ports: &'a [(&'a ServicePort, KnownPort)],
    /// Its slices, if there are any.
    pub slices: Option<&'a [&'a Slice<'a>]>,
    /// The pods that are known.
    pub pods: &'a Pods<'a>,
    /// The mesh.
    pub mesh: &'a Mesh,
}

/// What is found.
pub struct Found {
    /// How endpoints are found while Envoy runs.
    pub resolve: Resolve,
    /// They.
    pub endpoints: Vec<Endpoint>,
    /// What their certificates say.
    pub identities: BTreeSet<String>,
}

impl Endpoints<'_> {
    /// Endpoints of slices, `WorkloadEntries` and ServiceEntries; where there are none of these, the Service's name.
    pub fn all(&self, beside: &Beside<'_>) -> Found {
        let mut identities = BTreeSet::new();
        let mut all: BTreeMap<String, Endpoint> = BTreeMap::new();
        self.by_address(&mut all, &mut identities);
        self.selected(beside.workloads, &mut all, &mut identities);
        let lent = beside.lent.get(&(self.host.to_owned(), self.manifest.namespace.clone()));
        self.lent(lent.map_or(&[], Vec::as_slice), &mut all);
        if self.slices.is_none() && all.is_empty() {
            return Found { resolve: Resolve::Dns, endpoints: vec![self.by_name()], identities };
        }
        Found { resolve: Resolve::Static, endpoints: all.into_values().collect(), identities }
    }

    /// Those of `WorkloadEntries` that the Service selects (`serviceInstancesFromWorkloadInstances` of istiod).
    fn selected(
        &self,
        workloads: &[Workload<'_>],
        all: &mut BTreeMap<String, Endpoint>,
        identities: &mut BTreeSet<String>,
    ) {
        let Self { manifest, service, ports, .. } = self;
        if self.is_headless() || service.selector.is_empty() {
            return;
        }
        let selected = workloads.iter().filter_map(|one| one.selected(&manifest.namespace, &service.selector));
        for workload in selected.filter(|one| one.address.parse::<IpAddr>().is_ok()) {
            let mapped = ports.iter().filter_map(|(port, known)| Some((known.number, target(port, workload)?)));
            let mapped: BTreeMap<u16, u16> = mapped.collect();
            if mapped.is_empty() {
                continue;
            }
            if !workload.service_account.is_empty() {
                identities.insert(self.mesh.identity(&manifest.namespace, &workload.service_account));
            }
            let endpoint = all.entry(workload.address.clone()).or_insert_with(|| placed(workload, BTreeMap::new()));
            endpoint.ports.extend(mapped);
        }
    }

    /// Those of ServiceEntries with its host; ports are mapped by name.
    fn lent(&self, lent: &[Lent], all: &mut BTreeMap<String, Endpoint>) {
        for Lent { endpoint, ports } in lent {
            let named = |(port, known): &(&ServicePort, KnownPort)| Some((known.number, *ports.get(&port.name)?));
            let mapped: BTreeMap<u16, u16> = self.ports.iter().filter_map(named).collect();
            if !mapped.is_empty() {
                all.entry(endpoint.address.clone()).or_insert_with(|| endpoint.clone()).ports.extend(mapped);
            }
        }
    }

    fn is_headless(&self) -> bool {
        self.service.cluster_ip.is("None")
    }

    /// Without slices the pods are not known, but where Envoy runs the name may be: to the cluster IP. A headless Service
    /// has none, so its name is that of the pods, who listen on the target port.
    fn by_name(&self) -> Endpoint {
        let target = |port: &ServicePort, number: u16| {
            port.target_port.number().filter(|_| self.is_headless()).unwrap_or(number)
        };
        Endpoint {
            address: self.host.to_owned(),
            ports: self.ports.iter().map(|(port, known)| (known.number, target(port, known.number))).collect(),
            labels: BTreeMap::new(),
            locality: String::new(),
            weight: 1,
        }
    }

    /// Endpoints of slices that take requests, by address; ports are mapped by name. What their certificates say is added.
    fn by_address(&self, all: &mut BTreeMap<String, Endpoint>, identities: &mut BTreeSet<String>) {
        for Slice { manifest, written: slice } in self.slices.unwrap_or_default() {
            let number = |port: &ServicePort| {
                slice.ports.iter().find(|own| own.name == port.name).map(|own| own.port.unwrap_or(port.port))
            };
            let mapped: BTreeMap<u16, u16> =
                self.ports.iter().filter_map(|(port, known)| Some((known.number, number(port)?))).collect();
            let ready = slice.endpoints.iter().filter(|endpoint| endpoint.takes_requests());
            let addressed =
                ready.flat_map(|endpoint| endpoint.addresses.iter().map(move |address| (endpoint, address)));
            // Names are no addresses.
            for (written, address) in addressed.filter(|(_, address)| address.parse::<IpAddr>().is_ok()) {
                identities.extend(self.pods.identity(written, &manifest.namespace, self.mesh));
                let endpoint = all.entry(address.clone()).or_insert_with(|| {
                    let (labels, locality) = self.pods.about(written, &manifest.namespace);
                    Endpoint { address: address.clone(), ports: BTreeMap::new(), labels, locality, weight: 1 }
                });
                endpoint.ports.extend(&mapped);
            }
        }
    }
}

/// The port of a `WorkloadEntry` for a port of a Service that selects it: the target port, by its name where it has one;
/// a number may be mapped by the port's name (`serviceInstanceFromWorkloadInstance` of istiod).
fn target(port: &ServicePort, workload: &WorkloadEntry) -> Option<u16> {
    if let Some(name) = port.target_port.text() {
        return workload.ports.get(name).copied();
    }
    let number = port.target_port.number().unwrap_or(port.port);
    Some(workload.ports.get(&port.name).copied().unwrap_or(number))
}
