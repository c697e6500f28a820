//! Istio as the judge of Gateways: requests to a stock Envoy that istiod configures, and to the one that we generate from
//! the same manifests, are answered alike: status, `location`, who was reached, by which path and scheme.
//!
//! Certificates come to Istio's proxies by SDS, from an istio-agent that is not here: an `EnvoyFilter` puts a file in place
//! of it. So the names and the routes of HTTPS servers are judged, and not what clients must show.

#![cfg(not(target_family = "wasm"))]

#[path = "istio_gateways/sets.rs"]
mod sets;

use serde_json::{Value, json};
use sets::{Ask, Set, sets};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use switchyard_envoy::bootstrap::to_yaml;
use switchyard_envoy::yaml;
use switchyard_tests::gateways::Gateways;
use switchyard_tests::harness::{Ca, Client, Echo, Envoy, Launch, Request, Tls, free_port};
use switchyard_tests::istio::{Istiod, Proxy};
use tempfile::TempDir;

/// Services that manifests route to, each an upstream of its own.
const SERVICES: [&str; 3] = ["one", "two", "three"];

/// What became of a request.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    location: Option<String>,
    /// Upstream, path, `x-forwarded-proto`.
    reached: Option<[String; 3]>,
}

/// What came out of a set.
#[derive(Debug, Default)]
struct Found {
    /// Requests that both refused before there was a response.
    refused: usize,
    differences: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istio_answers_every_request_as_the_generated_envoy_does() {
    let folder = TempDir::new().unwrap();
    let ca = Ca::new("judge");
    ca.server(&["a.test", "b.test", "x.b.test", "c.test"]).write(&folder.path().join("shop")).unwrap();
    let mut echoes = vec![];
    for name in SERVICES {
        echoes.push(Echo::named(name).at(([0, 0, 0, 0], 0).into()).start().await.unwrap());
    }
    let (mut wrong, mut judged, mut refused) = (vec![], 0, 0);
    let sets = sets();
    for set in &sets {
        match judge(set, &echoes, &ca, folder.path()).await {
            Ok(found) => {
                judged += set.asked.len();
                refused += found.refused;
                wrong.extend(found.differences);
            }
            Err(said) => wrong.push(format!("{}: {said}", set.name)),
        }
    }
    println!("{judged} requests in {} sets of manifests, {refused} of them refused by both", sets.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Names that no server has: an Envoy that answers nobody would agree with another one.
    assert!(refused <= 3, "{refused}");
    assert!(judged >= 90, "{judged}");
}

async fn judge(set: &Set, echoes: &[Echo], ca: &Ca, certs: &Path) -> Result<Found, String> {
    let text = [&set.manifests, services(echoes).as_str()].concat();
    let (documents, problems) = yaml::load(&text);
    if !problems.is_empty() {
        return Err(format!("{problems:?}"));
    }
    let mut manifests: Vec<Value> = documents.iter().map(yaml::Node::to_json).collect();
    let labels = [("istio".to_owned(), "ingressgateway".to_owned())];
    let proxy = Proxy::gateway("edge", "demo", set.ports()).labelled(labels.clone());
    manifests.extend(proxy.manifests());
    manifests.extend(with_files(set, &proxy, &certs.join("shop"))?);
    let istiod = Istiod::start(&manifests).await?;
    let theirs = istiod.run(&proxy).await?;
    let gateways = Gateways { namespace: Some("demo".into()), labels: labels.into(), ..Gateways::new(text) };
    let (ours, moved) = start(&gateways.certs(certs)).await?;

    let mut found = Found::default();
    for ask in &set.asked {
        let at = *moved.get(&ask.port).ok_or_else(|| format!("we have no listener on port {}", ask.port))?;
        let own = answer(at, ca, ask).await;
        let istio = answer(proxy.address(ask.port)?, ca, ask).await;
        match (&own, &istio) {
            (Ok(own), Ok(istio)) if own == istio => {}
            // Refused before there is a response, each in its own words.
            (Err(_), Err(_)) => found.refused += 1,
            _ => found.differences.push(format!("{}: {ask:?}\n  ours  {own:?}\n  istio {istio:?}", set.name)),
        }
    }
    ours.stop().await?;
    theirs.stop().await?;
    Ok(found)
}

/// A service for each upstream.
fn services(echoes: &[Echo]) -> String {
    let one = |(index, (name, echo)): (usize, (&&str, &Echo))| {
        format!(
            "
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: demo}}
spec:
  hosts: [{name}.demo.svc.cluster.local]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.9.0.{}, ports: {{http: {}}}}}]
",
            index + 1,
            echo.address().port()
        )
    };
    SERVICES.iter().zip(echoes).enumerate().map(one).collect()
}

/// Files in place of what an istio-agent would serve.
fn with_files(set: &Set, proxy: &Proxy, folder: &Path) -> Result<Option<Value>, String> {
    let certificate = json!({
        "certificate_chain": {"filename": folder.join("tls.crt")}, "private_key": {"filename": folder.join("tls.key")},
    });
    // Under the name that Istio gives it, it would be merged with SDS, which Envoy refuses; so it takes its place.
    let socket = json!({"name": "tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"tls_certificates": [certificate], "alpn_protocols": ["h2", "http/1.1"]},
    }});
    let mut patches = vec![];
    for port in set.tls_ports() {
        // The listener has been moved when its chains are matched.
        let real = proxy.address(port)?.port();
        patches.push(json!({
            "applyTo": "FILTER_CHAIN", "match": {"context": "GATEWAY", "listener": {"portNumber": real}},
            "patch": {"operation": "MERGE", "value": {"transport_socket": socket}},
        }));
    }
    Ok((!patches.is_empty()).then(|| {
        json!({
            "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
            "metadata": {"name": "certificates", "namespace": "demo"}, "spec": {"configPatches": patches},
        })
    }))
}

/// Ours, with each listener on a free port.
async fn start(gateways: &Gateways) -> Result<(Envoy, BTreeMap<u16, SocketAddr>), String> {
    let mut bootstrap = gateways.bootstrap()?;
    let mut moved = BTreeMap::new();
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().into_iter().flatten() {
        let real = free_port();
        let address = &mut listener["address"]["socket_address"];
        let port = address["port_value"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
        *address = json!({"address": "127.0.0.1", "port_value": real});
        moved.insert(port, SocketAddr::from(([127, 0, 0, 1], real)));
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("envoy.yaml");
    std::fs::write(&file, to_yaml(&bootstrap)).map_err(|error| error.to_string())?;
    // Envoy reads the file once.
    Ok((Launch::new(file).start().await?, moved))
}

async fn answer(at: SocketAddr, ca: &Ca, ask: &Ask) -> Result<Answer, String> {
    let mut client = Client::new(at);
    if !ask.name.is_empty() {
        client = client.over(Tls::new(&ask.name, ca, None)?);
    }
    let response = client.send(&Request::new("GET", ask.host.as_str(), ask.target.as_str())).await?;
    let location = response.header("location").next().map(|value| String::from_utf8_lossy(value).into_owned());
    let reached = response.json().ok().map(|said| {
        let scheme = said["headers"].as_array().into_iter().flatten().find(|line| line[0] == "x-forwarded-proto");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        [text(&said["upstream"]), text(&said["path"]), scheme.map(|line| text(&line[1])).unwrap_or_default()]
    });
    Ok(Answer { status: response.status, location, reached })
}
