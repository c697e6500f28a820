//! `AuthorizationPolicy`, and rules that rewrite what it looks at.

use super::mesh::{CATALOG, Mesh, PATIENCE, Seen, send};
use serde_json::json;
use switchyard_tests::chain::eventually;
use switchyard_tests::harness::{Client, Request};

/// `/admin/*` is denied, at the gateway and at productcatalog's sidecar. A gateway's policy sees what was asked for, before
/// any rewrite; a workload's sees what comes to it, after the caller's rewrites.
pub async fn holds_against_rewrites(mesh: &Mesh) {
    deny(mesh, "edge", ("hops", &mesh.namespace)).await;
    until(mesh, "/admin/x", 403).await;
    // From it: a rule would make `/open/x` of it, and does not come to that.
    for path in ["/admin/open/x", "/admin/open/x?a=b", "/%61dmin/open/x", "/a/../admin/open/x", "/admin/./open/x"] {
        refused(&ask(mesh, path).await, path);
    }
    // What the gateway does not read as `/admin/*`, the rule does not either.
    for path in [
        "//admin/open/x",
        "/ADMIN/open/x",
        "/admin%2fopen/x",
        "/admin;a/open/x",
        "/admin\\open/x",
        "/%2e%2e/admin/open/x",
    ] {
        let seen = ask(mesh, path).await;
        let arrived = seen.body["path"].as_str().unwrap_or("/admin");
        assert!(seen.status == 200 || (400..404).contains(&seen.status), "{path}: {seen:?}");
        assert!(!arrived.starts_with("/open/"), "{path}: {seen:?}");
    }
    // To it: what the gateway lets through, the workload's own policy is there for, as without us.
    let seen = ask(mesh, "/innocent/x").await;
    assert_eq!((seen.status, seen.body["path"].as_str(), &*seen.route), (200, Some("/admin/x"), "decided"), "{seen:?}");

    deny(mesh, "productcatalog", ("app", "productcatalog")).await;
    until(mesh, "/innocent/x", 403).await;
    let seen = ask(mesh, "/innocent/x").await;
    refused(&seen, "/innocent/x");
    assert_eq!(&*seen.route, "decided", "the gateway let it through, and productcatalog's sidecar did not");
    let direct = async |path: &str| send(Client::new(mesh.inbound), &Request::new("GET", CATALOG, path)).await;
    refused(&direct("/admin/x").await, "direct");
    assert_eq!(direct("/open/x").await.status, 200);
    // The sidecar's policy is for what comes to its workload: what that calls is judged by who is called.
    let seen = mesh.outbound(&Request::new("GET", mesh.detail(), "/admin/x").header("x-role", "guest")).await;
    assert_eq!((seen.status, seen.body["path"].as_str()), (200, Some("/open/x")), "{seen:?}");
}

async fn ask(mesh: &Mesh, path: &str) -> Seen {
    mesh.edge(&Request::new("GET", CATALOG, path)).await
}

fn refused(seen: &Seen, told: &str) {
    assert_eq!((seen.status, seen.body.is_null()), (403, true), "{told}: {seen:?}");
}

async fn until(mesh: &Mesh, path: &str, status: u16) {
    let asked = async || match ask(mesh, path).await.status {
        found if found == status => Ok(()),
        found => Err(format!("`{path}` is answered {found}")),
    };
    eventually(PATIENCE, asked).await.unwrap();
}

async fn deny(mesh: &Mesh, name: &str, (label, value): (&str, &str)) {
    let policy = json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": mesh.namespace},
        "spec": {"selector": {"matchLabels": {label: value}}, "action": "DENY",
            "rules": [{"to": [{"operation": {"paths": ["/admin/*"]}}]}]},
    });
    mesh.chain.apply_all(&[policy]).await.unwrap();
}
