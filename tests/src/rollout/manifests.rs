//! Two versions of a service, and shares of their users.

use std::fmt::Write as _;
use std::net::SocketAddr;

/// The service's host.
pub const HOST: &str = "catalog.shop.svc.cluster.local";

/// Where there is one destination, `check` warns of it.
const STICKY: &str = "  sticky:
  - {virtualService: catalog, rule: by-header, by: {httpHeaderName: x-user}}
  - {virtualService: catalog, rule: by-cookie, by: {httpCookie: {name: uid}}}
";

/// A service of several versions.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// The versions and where they are, each a subset.
    pub versions: Vec<(&'static str, SocketAddr)>,
    /// Destinations of users, with their weights.
    pub shares: Vec<(&'static str, u32)>,
    /// Fault delay of the users' requests: percent, and how long.
    pub delay: Option<(u32, &'static str)>,
    /// More `trafficPolicy` of the last version, in YAML's flow style.
    pub policy: &'static str,
}

impl Service {
    /// The manifests. Users are told apart by the cookie `uid`, or by `x-user` when they send it.
    pub fn yaml(&self) -> String {
        let (mut endpoints, mut subsets, mut routes) = (String::new(), String::new(), String::new());
        let last = self.versions.len().saturating_sub(1);
        for (index, (name, at)) in self.versions.iter().enumerate() {
            let (ip, port) = (at.ip(), at.port());
            let _ = write!(
                endpoints,
                "\n  - {{address: {ip}, ports: {{http: {port}}}, labels: {{app: catalog, version: {name}}}}}"
            );
            let policy = if index == last { self.policy } else { "" };
            let policy = if policy.is_empty() { String::new() } else { format!(", trafficPolicy: {policy}") };
            let _ = write!(subsets, "\n  - {{name: {name}, labels: {{version: {name}}}{policy}}}");
        }
        for (version, weight) in &self.shares {
            let _ = write!(routes, "\n    - {{destination: {{host: catalog, subset: {version}}}, weight: {weight}}}");
        }
        let fault = self.delay.map_or(String::new(), |(percent, delay)| {
            format!("\n    fault: {{delay: {{percentage: {{value: {percent}}}, fixedDelay: {delay}}}}}")
        });
        let sticky = if self.shares.len() > 1 { STICKY } else { "" };
        format!(
            "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: catalog, namespace: shop}}
spec:
  hosts: [{HOST}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{{number: 3000, name: http, protocol: HTTP}}]
  endpoints:{endpoints}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: catalog, namespace: shop}}
spec:
  host: catalog
  subsets:{subsets}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: catalog, namespace: shop}}
spec:
  hosts: [catalog]
  http:
  - name: by-header
    match: [{{headers: {{x-user: {{regex: '.+'}}}}}}]{fault}
    route:{routes}
  - name: by-cookie{fault}
    route:{routes}
---
apiVersion: switchyard.dev/v1alpha1
kind: SwitchyardPolicy
metadata: {{name: catalog, namespace: shop, annotations: {{config.kubernetes.io/local-config: 'true'}}}}
spec:
  seed: catalog-rollout
{sticky}"
        )
    }
}
