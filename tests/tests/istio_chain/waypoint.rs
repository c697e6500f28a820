//! A waypoint of an ambient mesh: what is generated for `--target-ref`, form (b), the only one there. A gateway of Istio
//! speaks HBONE to it, as it does where a Service says `istio.io/ingress-use-waypoint`.

use super::kubernetes::{Versions, apply, http_route, object, policy, service};
use super::mtls::chain;
use super::shop::{PATIENCE, generated};
use serde_json::{Value, json};
use std::net::SocketAddr;
use switchyard_envoy::istio::{Selection, Via};
use switchyard_tests::chain::{Running, eventually};
use switchyard_tests::harness::{Client, Request};
use switchyard_tests::istio::{GATEWAY_NAME, Proxy};

#[tokio::test]
async fn a_waypoint_tags_and_the_http_route_of_a_service_matches() {
    for (word, target) in [("wpgateway", "Gateway/waypoint"), ("wpservice", "Service/shop")] {
        let mesh = Mesh::start(word, target).await;
        let mut client = mesh.gateway.client(80).unwrap();
        let cases: [(&[(&str, &str)], _); 4] = [
            (&[], ("v1", "old")),
            (&[("x-role", "staff")], ("v2", "new")),
            (&[("user-type", "new")], ("v1", "old")),
            (&[("User_Type", "new"), ("user-type", "new")], ("v1", "old")),
        ];
        for (headers, (upstream, tag)) in cases {
            let seen = mesh.ask(&mut client, headers).await.unwrap();
            assert_eq!((&*seen.0, &*seen.1), (upstream, tag), "{target}: {headers:?}");
        }
        // Over HBONE, and nothing else: the gateway knows no way to the workloads, and the waypoint wants a certificate.
        let clusters = mesh.gateway.admin().get("/clusters").await.unwrap().text();
        let tunnel = format!("outbound|80||{}::envoy://connect_originate/{}::", mesh.host, mesh.at);
        assert!(clusters.contains(&tunnel), "{tunnel}: {clusters}");
        let plain = Client::new(mesh.at).get(&mesh.host, "/").await;
        assert!(plain.is_err(), "{plain:?}");
    }
}

/// A gateway, and a waypoint before the Service `shop`.
struct Mesh {
    _versions: Versions,
    gateway: Running,
    waypoint: Running,
    at: SocketAddr,
    host: String,
}

impl Mesh {
    async fn start(word: &str, target: &str) -> Self {
        let chain = chain().await;
        let namespace = chain.namespace(word).await.unwrap();
        let host = format!("shop.{namespace}.svc.cluster.local");
        let url = chain.image(word).await.unwrap();
        let versions = Versions::start().await;
        let mut manifests = versions.manifests(&namespace);
        let labels = json!({"istio.io/use-waypoint": "waypoint", "istio.io/ingress-use-waypoint": "true"});
        manifests.iter_mut().find(|one| one["kind"] == "Service" && one["metadata"]["name"] == "shop").unwrap()["metadata"]
            ["labels"] = labels;
        // Tags are Istio's routes' to match.
        let matches = json!([{"headers": [{"name": "user-type", "value": "new"}]}]);
        let to = |version: &str| json!([{"name": format!("shop-{version}"), "port": 80}]);
        let rules = json!([{"matches": matches, "backendRefs": to("v2")}, {"backendRefs": to("v1")}]);
        let parents = json!([{"group": "", "kind": "Service", "name": "shop", "port": 80}]);
        manifests.push(http_route(&namespace, "shop", &parents, &rules));
        let (plan, at) = Proxy::waypoint("waypoint", &namespace);
        manifests.extend(waypoint(&namespace, &at.ip().to_string(), at.port()));
        manifests.extend(edge(&namespace, &host));
        let rules = json!([{"match": [{"headers": {"x-role": {"exact": "staff"}}}], "value": "new"}]);
        manifests.push(policy(
            &namespace,
            &json!({"header": "user-type", "hosts": [host], "rules": rules, "split": [{"value": "old", "weight": 1}]}),
        ));
        let selection = Selection::target(&format!("{namespace}/{target}")).unwrap();
        let resources = generated(&manifests, &namespace, Via::Tags, selection, None, &url);
        apply(chain, &manifests).await;
        chain.apply_all(&resources).await.unwrap();

        let gateway = Proxy::gateway("edge", &namespace, [80]).labelled([("edge".into(), namespace.clone())]);
        let (gateway, waypoint) = tokio::try_join!(chain.agent(&gateway).start(), chain.agent(&plan).start()).unwrap();
        let mesh = Self { _versions: versions, gateway, waypoint, at, host };
        let plugin = resources.iter().find(|one| one["kind"] == "WasmPlugin").expect("a WasmPlugin");
        mesh.waypoint
            .wait_plugin(&format!("{namespace}/switchyard"), &plugin["spec"]["pluginConfig"])
            .await
            .unwrap_or_else(|why| panic!("{why} {}", mesh.waypoint.log()));
        let ready = async || mesh.ask(&mut mesh.gateway.client(80)?, &[]).await;
        eventually(PATIENCE, ready)
            .await
            .unwrap_or_else(|why| panic!("{why}\n{}\n{}", mesh.gateway.log_tail(), mesh.waypoint.log_tail()));
        mesh
    }

    /// Who answered, and the tag that it saw. Errors: another status than 200.
    async fn ask(&self, client: &mut Client, headers: &[(&str, &str)]) -> Result<(String, String), String> {
        let request = Request::new("GET", self.host.as_str(), "/");
        let response =
            client.send(&headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await?;
        if response.status != 200 {
            return Err(format!("status {}: {}", response.status, response.text()));
        }
        let body = response.json()?;
        let known = body["headers"].as_array().into_iter().flatten();
        let tags: Vec<_> = known
            .filter(|one| one[0].as_str().is_some_and(|name| name.replace('_', "-") == "user-type"))
            .filter_map(|one| one[1].as_str())
            .collect();
        Ok((body["upstream"].as_str().unwrap_or_default().to_owned(), tags.join(",")))
    }
}

/// What a cluster has of a waypoint.
fn waypoint(namespace: &str, address: &str, port: u16) -> Vec<Value> {
    let labels = json!({ GATEWAY_NAME: "waypoint" });
    let listeners = json!([{"name": "mesh", "port": 15008, "protocol": "HBONE"}]);
    let spec = json!({"gatewayClassName": "istio-waypoint", "listeners": listeners});
    let ports = json!([{"name": "mesh", "port": 15008, "appProtocol": "hbone"}]);
    let entry = json!({"address": address, "labels": labels, "ports": {"mesh": port}});
    vec![
        object("gateway.networking.k8s.io/v1", "Gateway", "waypoint", namespace, &spec),
        service(namespace, "waypoint", &labels, &ports),
        object("networking.istio.io/v1", "WorkloadEntry", "waypoint", namespace, &entry),
    ]
}

/// A gateway of Istio that sends everything to the Service.
fn edge(namespace: &str, host: &str) -> Vec<Value> {
    let servers = json!([{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]);
    let gateway = json!({"selector": {"edge": namespace}, "servers": servers});
    let rules = json!([{"name": "all", "route": [{"destination": {"host": "shop", "port": {"number": 80}}}]}]);
    let routes = json!({"hosts": [host], "gateways": ["edge"], "http": rules});
    vec![
        object("networking.istio.io/v1", "Gateway", "edge", namespace, &gateway),
        object("networking.istio.io/v1", "VirtualService", "edge", namespace, &routes),
    ]
}
