//! ServiceEntries: hosts, their ports and endpoints.

use std::collections::BTreeMap;
use switchyard_filter::{choice, record};

record! {
    /// Hosts with their ports and endpoints.
    pub struct ServiceEntry {
        /// Full host names; each is a service of its own with these ports and endpoints.
        hosts: Vec<String> = "hosts" required,
        /// Addresses of the service itself. Requests are told apart by host here, so they decide nothing.
        addresses: Vec<String> = "addresses",
        /// Its ports.
        ports: Vec<ServiceEntryPort> = "ports",
        /// Whether it is inside of the mesh. Decides nothing here.
        location: Location = "location",
        /// How endpoints are found.
        resolution: Resolution = "resolution",
        /// Its endpoints. Without any, a DNS service is its own.
        endpoints: Vec<WorkloadEntry> = "endpoints",
        /// Names of which a certificate of its endpoints must have one, where a DestinationRule names none.
        subject_alt_names: Vec<String> = "subjectAltNames",
        /// In place of `endpoints`: the `WorkloadEntries` of its namespace that have these labels.
        workload_selector: Option<EntrySelector> = "workloadSelector",
        /// The namespaces of proxies that see it: names, `.` for its own, `*` for all, `~` for none. Default: all.
        export_to: Vec<String> = "exportTo",
    }
}

record! {
    /// Which `WorkloadEntries` are endpoints.
    pub struct EntrySelector {
        /// Labels that one must have.
        labels: BTreeMap<String, String> = "labels",
    }
}

record! {
    /// A port of a service.
    pub struct ServiceEntryPort {
        /// Its number, 1 to 65535.
        number: u16 = "number" required,
        /// Its protocol; only HTTP ones are routed. Default: `TCP`.
        protocol: String = "protocol",
        /// Its name; endpoints are mapped by it.
        name: String = "name" required,
        /// The port of endpoints that do not map it. Default: the same number.
        target_port: Option<u16> = "targetPort",
    }
}

choice! {
    /// Whether a service is inside of the mesh.
    pub enum Location {
        /// Outside.
        MeshExternal = "MESH_EXTERNAL",
        /// Inside.
        MeshInternal = "MESH_INTERNAL",
    }
}

choice! {
    /// How endpoints are found.
    pub enum Resolution {
        /// Wherever the caller was going.
        None = "NONE",
        /// Addresses as written.
        Static = "STATIC",
        /// Names, resolved; every address is an endpoint.
        Dns = "DNS",
        /// Names, resolved; the first address is the endpoint.
        DnsRoundRobin = "DNS_ROUND_ROBIN",
    }
}

record! {
    /// An endpoint.
    pub struct WorkloadEntry {
        /// Its IP address, or a name where `resolution` is DNS.
        address: String = "address" required,
        /// Its ports, by the name of the service's.
        ports: BTreeMap<String, u16> = "ports",
        /// Its labels; subsets select by them.
        labels: BTreeMap<String, String> = "labels",
        /// Where it is: `region/zone/subzone`.
        locality: String = "locality",
        /// Its share of load balancing, from 1. Default: 1.
        weight: u32 = "weight",
        /// The identity that its certificate shows, below that of the mesh and the namespace.
        service_account: String = "serviceAccount",
        /// Its network: endpoints have it as a label; ways between networks are not known here.
        network: String = "network",
    }
}
