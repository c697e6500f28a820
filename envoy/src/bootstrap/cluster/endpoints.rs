//! Endpoints by where they are, in order of the name (istio.md 2.0).

use crate::translate::{Endpoint, Locality};
use serde::Serialize;
use std::collections::BTreeMap;

/// `envoy.config.endpoint.v3.ClusterLoadAssignment`.
#[derive(Debug, Serialize)]
pub struct ClusterLoadAssignment {
    cluster_name: String,
    endpoints: Vec<LocalityLbEndpoints>,
}

/// Endpoints of one place and one priority. Its weight is the sum of theirs, unless shares are written.
#[derive(Debug, Serialize)]
struct LocalityLbEndpoints {
    #[serde(skip_serializing_if = "Place::is_unknown")]
    locality: Place,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lb_endpoints: Vec<LbEndpoint>,
    load_balancing_weight: u32,
    #[serde(skip_serializing_if = "is_zero")]
    priority: u32,
}

#[derive(Debug, Serialize)]
struct Place {
    #[serde(skip_serializing_if = "String::is_empty")]
    region: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    zone: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    sub_zone: String,
}

#[derive(Debug, Serialize)]
struct LbEndpoint {
    endpoint: Host,
    load_balancing_weight: u32,
}

#[derive(Debug, Serialize)]
struct Host {
    address: Address,
}

#[derive(Debug, Serialize)]
struct Address {
    socket_address: SocketAddress,
}

#[derive(Debug, Serialize)]
struct SocketAddress {
    address: String,
    port_value: u16,
}

/// Endpoints of one place, before they are written.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The place.
    pub locality: Locality,
    /// The endpoints, with their ports.
    pub endpoints: Vec<(&'a Endpoint, u16)>,
    /// The place's share.
    pub weight: u32,
    /// 0 comes first.
    pub priority: u32,
}

/// Endpoints by place, for a port of the service.
pub fn by_locality<'a>(endpoints: &[&'a Endpoint], port: u16) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<&str, Group<'a>> = BTreeMap::new();
    for endpoint in endpoints {
        // Not every endpoint of a Service has every port of it.
        let Some(number) = endpoint.ports.get(&port) else { continue };
        let group = groups.entry(&endpoint.locality).or_insert_with(|| Group {
            locality: Locality::parse(&endpoint.locality),
            endpoints: vec![],
            weight: 0,
            priority: 0,
        });
        group.weight = group.weight.saturating_add(endpoint.weight);
        group.endpoints.push((endpoint, *number));
    }
    groups.into_values().collect()
}

impl ClusterLoadAssignment {
    /// The endpoints of a cluster.
    pub fn new(cluster: &str, groups: Vec<Group<'_>>) -> Self {
        Self { cluster_name: cluster.to_owned(), endpoints: groups.into_iter().map(Into::into).collect() }
    }
}

impl From<Group<'_>> for LocalityLbEndpoints {
    fn from(group: Group<'_>) -> Self {
        let Locality { region, zone, sub_zone } = group.locality;
        let host = |(endpoint, port): &(&Endpoint, u16)| LbEndpoint {
            endpoint: Host {
                address: Address {
                    socket_address: SocketAddress { address: endpoint.address.clone(), port_value: *port },
                },
            },
            load_balancing_weight: endpoint.weight,
        };
        Self {
            locality: Place { region, zone, sub_zone },
            lb_endpoints: group.endpoints.iter().map(host).collect(),
            load_balancing_weight: group.weight,
            priority: group.priority,
        }
    }
}

impl Place {
    fn is_unknown(&self) -> bool {
        self.region.is_empty() && self.zone.is_empty() && self.sub_zone.is_empty()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
