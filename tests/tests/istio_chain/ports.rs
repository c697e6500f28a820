//! One plugin for each port of a gateway where a rule asks for the port, and none on a server that redirects to HTTPS.

use super::kubernetes::{Versions, apply, object, policy, service};
use super::shop::{PATIENCE, generated};
use serde_json::{Value, json};
use switchyard_envoy::istio::{Selection, Via};
use switchyard_tests::chain::{Chain, Running, eventually};
use switchyard_tests::harness::Request;
use switchyard_tests::istio::Proxy;

/// The ports of the gateway's Service, and where its pods listen for them.
const PORTS: [(&str, u16, u16); 3] = [("http", 80, 8000), ("http-admin", 8080, 8001), ("http-moved", 8081, 8002)];

#[tokio::test]
async fn each_port_of_a_gateway_decides_by_its_own_plugin_and_one_that_redirects_has_none() {
    let chain = Chain::shared().await.unwrap();
    let namespace = &*chain.namespace("ports").await.unwrap();
    let url = chain.image("ports").await.unwrap();
    let versions = Versions::start().await;
    let labels = json!({"edge": namespace});
    let proxy = Proxy::gateway("edge", namespace, PORTS.map(|(_, _, listens)| listens))
        .labelled([("edge".into(), namespace.to_owned())]);
    let mut manifests = versions.manifests(namespace);
    manifests.extend(edge(namespace, &labels));
    let tag = json!({"header": "user-type", "hosts": ["*"], "split": [{"value": "all", "weight": 1}]});
    manifests.push(policy(namespace, &tag));
    let selection = Selection::workload(&format!("{namespace}/edge={namespace}")).unwrap();
    let resources = generated(&manifests, namespace, Via::ClusterHeader, selection, None, &url);
    let plugins: Vec<&Value> = resources.iter().filter(|one| one["kind"] == "WasmPlugin").collect();
    let ports = |plugin: &Value| (plugin["metadata"]["name"].clone(), plugin["spec"]["match"][0]["ports"].clone());
    let expected = [("switchyard-80", 8000), ("switchyard-8080", 8001)];
    let expected = expected.map(|(name, port)| (json!(name), json!([{"number": port}])));
    assert_eq!(plugins.iter().map(|plugin| ports(plugin)).collect::<Vec<_>>(), expected);

    // Whose pods a proxy is among, istiod learns so of what is no pod.
    let entry = json!({"address": proxy.ip(), "labels": labels});
    manifests.push(object("networking.istio.io/v1", "WorkloadEntry", "edge", namespace, &entry));
    apply(chain, &manifests).await;
    chain.apply_all(&resources).await.unwrap();
    let gateway = chain.agent(&proxy).start().await.unwrap();
    for plugin in plugins {
        let name = format!("{namespace}/{}", plugin["metadata"]["name"].as_str().unwrap());
        gateway.wait_plugin(&name, &plugin["spec"]["pluginConfig"]).await.unwrap();
    }
    let request = || Request::new("GET", "shop.example.com", "/");
    let ready = async || match gateway.client(8000)?.send(&request()).await?.status {
        200 => Ok(()),
        status => Err(format!("status {status}")),
    };
    eventually(PATIENCE, ready).await.unwrap_or_else(|why| panic!("{why}\n{}", gateway.log_tail()));
    versions.v1.received();

    for (port, version, upstream) in [(8000, "v1", &versions.v1), (8001, "v2", &versions.v2)] {
        let mut client = gateway.client(port).unwrap();
        let seen = gateway.send(&mut client, upstream, &request()).await.unwrap();
        let cluster = format!("outbound|80|{version}|shop.{namespace}.svc.cluster.local");
        assert_eq!((seen.status, seen.cluster, seen.route.as_deref()), (200, Some(cluster), Some("decided")), "{port}");
        let headers = seen.upstream.unwrap().headers;
        assert!(headers.contains(&("user-type".to_owned(), "all".to_owned())), "{port}: {headers:?}");
    }
    let moved = gateway.client(8002).unwrap().send(&request()).await.unwrap();
    let location = moved.header("location").next().map(|value| String::from_utf8_lossy(value).into_owned());
    assert_eq!((moved.status, location.as_deref()), (301, Some("https://shop.example.com/")));
    let named = |port: u16| vec![format!("extensions.istio.io/wasmplugin/{namespace}.switchyard-{port}")];
    for (port, plugins) in [(8000, named(80)), (8001, named(8080)), (8002, vec![])] {
        assert_eq!(plugins_at(&gateway, port).await, plugins, "{port}");
    }
}

/// The gateway's Service, its servers, of which the last one redirects, and a rule that asks for a port.
fn edge(namespace: &str, labels: &Value) -> Vec<Value> {
    let ports = PORTS.map(|(name, port, listens)| json!({"name": name, "port": port, "targetPort": listens}));
    let servers = PORTS.map(|(name, port, _)| {
        let mut server = json!({"port": {"number": port, "name": name, "protocol": "HTTP"}, "hosts": ["*"]});
        if name == "http-moved" {
            server["tls"] = json!({"httpsRedirect": true});
        }
        server
    });
    let to = |version: &str| json!([{"destination": {"host": "shop", "subset": version}}]);
    let http = json!([
        {"name": "admin", "match": [{"port": 8080}], "route": to("v2")},
        {"name": "rest", "route": to("v1")}]);
    let rules = json!({"hosts": ["shop.example.com"], "gateways": ["edge"], "http": http});
    vec![
        service(namespace, "edge", labels, &json!(ports)),
        object(
            "networking.istio.io/v1",
            "Gateway",
            "edge",
            namespace,
            &json!({"selector": labels, "servers": servers}),
        ),
        object("networking.istio.io/v1", "VirtualService", "shop", namespace, &rules),
    ]
}

/// The names of plugins in the filters of a port's listener.
async fn plugins_at(gateway: &Running, port: u16) -> Vec<String> {
    let real = gateway.proxy().address(port).unwrap().port();
    let all = gateway.dump("dynamic_listeners").await.unwrap();
    let mut listeners = all["configs"].as_array().unwrap().iter().map(|one| &one["active_state"]["listener"]);
    let listener = listeners.find(|one| one["address"]["socket_address"]["port_value"] == real).unwrap();
    let chains =
        listener["filter_chains"].as_array().unwrap().iter().flat_map(|chain| chain["filters"].as_array().unwrap());
    let filters = chains.flat_map(|manager| manager["typed_config"]["http_filters"].as_array().into_iter().flatten());
    let names = filters.filter_map(|filter| filter["name"].as_str()).filter(|name| name.contains("wasmplugin"));
    names.map(str::to_owned).collect()
}
