//! The image: the same whenever it is made, missing, replaced.

use super::shop::Shop;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use switchyard_tests::chain::{Running, image};
use switchyard_tests::harness::released_wasm;
use tempfile::TempDir;

/// Equal input, equal digest, whenever and wherever it is written.
#[tokio::test]
async fn the_image_is_the_same_whenever_it_is_made() {
    let folder = TempDir::new().unwrap();
    let wasm = folder.path().join("copy.wasm");
    std::fs::copy(released_wasm(), &wasm).unwrap();
    let first = image(&released_wasm(), &folder.path().join("one")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let second = image(&wasm, &folder.path().join("deep/two")).await.unwrap();
    assert_eq!(first, second);
    assert!(first.starts_with("sha256:") && first.len() == 71, "{first}");
}

/// The filter, the licences of what is in it, and labels that say which release it is, and nothing else.
#[tokio::test]
async fn the_image_has_the_filter_its_licences_and_labels() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("image");
    let digest = image(&released_wasm(), &out).await.unwrap();
    let blob = |digest: &Value| out.join(digest.as_str().unwrap().replace("sha256:", "blobs/sha256/"));
    let json = |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let manifest = json(&blob(&json(&out.join("index.json"))["manifests"][0]["digest"]));
    let labels = &json(&blob(&manifest["config"]["digest"]))["config"]["Labels"];
    assert_eq!(manifest["annotations"], *labels, "{digest}");
    let label = |name: &str| labels[format!("org.opencontainers.image.{name}")].as_str();
    let expected = [Some("switchyard"), Some("Apache-2.0"), Some(env!("CARGO_PKG_VERSION"))];
    assert_eq!(["title", "licenses", "version"].map(label), expected);

    let layer = blob(&manifest["layers"][0]["digest"]);
    let tar = |mode: &str, file: &[&str]| {
        let output = std::process::Command::new("tar").arg(mode).arg(&layer).args(file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    assert_eq!(String::from_utf8(tar("-tzf", &[])).unwrap(), "LICENSE\nLICENSES-THIRD-PARTY\nplugin.wasm\n");
    let licence = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../LICENSE")).unwrap();
    assert!(
        tar("-xOzf", &["LICENSE"]) == licence
            && tar("-xOzf", &["plugin.wasm"]) == std::fs::read(released_wasm()).unwrap()
    );
}

/// Nothing of the user's is removed, and the umask of who makes it keeps no reader out.
#[tokio::test]
async fn only_an_image_is_replaced_and_everybody_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let precious = folder.path().join("home");
    std::fs::create_dir(&precious).unwrap();
    std::fs::write(precious.join("precious"), "x").unwrap();
    for out in [precious.clone(), precious.join("precious")] {
        let why = image(&released_wasm(), &out).await.unwrap_err();
        assert!(why.contains("is there and is no image layout: remove it yourself"), "{why}");
    }
    assert_eq!(std::fs::read(precious.join("precious")).unwrap(), b"x");

    let out = folder.path().join("image");
    let first = image(&released_wasm(), &out).await.unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/image.sh");
    let mut strict = std::process::Command::new("sh");
    strict.args(["-c", "umask 077; exec \"$@\"", "sh", script]).arg(released_wasm()).arg(&out);
    let output = strict.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), first, "{output:?}");
    let mode = |path: &str| std::fs::metadata(out.join(path)).unwrap().permissions().mode() & 0o777;
    let blob = first.replace("sha256:", "blobs/sha256/");
    assert_eq!(
        ["", "blobs", "blobs/sha256", "index.json", "oci-layout", &*blob].map(mode),
        [0o755, 0o755, 0o755, 0o644, 0o644, 0o644]
    );
}

#[tokio::test]
async fn an_image_that_is_missing_closes_the_gateway_until_it_is_there() {
    let shop = Shop::new("missing").await;
    let (missing, good) = (shop.chain.missing_image("nowhere"), shop.chain.image("good").await.unwrap());
    shop.apply(&missing, "one", &[]).await;
    let gateway = shop.chain.agent(&shop.gateway("gw")).envoy("1.40.0").start().await.unwrap();
    shop.until(&gateway, 403, None).await;
    let stand_in = gateway.extension(&format!("{}/switchyard", shop.namespace)).await.unwrap().unwrap();
    assert!(stand_in["@type"].as_str().unwrap().ends_with("rbac.v3.RBAC"), "{stand_in}");
    assert_eq!(shop.upstream.count(), 0);

    // FAIL_OPEN lets everything through, by Istio's own routes.
    shop.apply(&missing, "one", &[("failStrategy", "FAIL_OPEN")]).await;
    shop.until(&gateway, 200, None).await;
    assert_eq!(shop.ask(&gateway).await.unwrap().1, Some(shop.cluster("v1")));

    // FAIL_RELOAD is about a module that runs: one that cannot be fetched closes.
    shop.apply(&missing, "one", &[("failStrategy", "FAIL_RELOAD")]).await;
    shop.until(&gateway, 403, None).await;

    shop.apply(&good, "one", &[]).await;
    shop.until(&gateway, 200, Some("one")).await;
    assert_eq!(shop.ask(&gateway).await.unwrap().1, Some(shop.cluster("v2")));
}

/// By the digest that `make image` prints, which Istio calls `sha256`.
#[tokio::test]
async fn only_the_image_of_the_digest_that_is_named_runs() {
    let shop = Shop::new("digest").await;
    let folder = TempDir::new().unwrap();
    let digest = image(&released_wasm(), &folder.path().join("image")).await.unwrap();
    let (url, own) = (shop.chain.image("digest").await.unwrap(), digest.trim_start_matches("sha256:"));
    shop.apply(&url, "one", &[("sha256", &"0".repeat(64))]).await;
    let gateway = shop.chain.agent(&shop.gateway("gw")).envoy("1.40.0").start().await.unwrap();
    shop.until(&gateway, 403, None).await;
    assert_eq!(shop.upstream.count(), 0);
    shop.apply(&url, "two", &[("sha256", own)]).await;
    shop.until(&gateway, 200, Some("two")).await;
}

/// The image of another module that does the same: ours with one custom section more.
async fn another_image() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let wasm = folder.path().join("other.wasm");
    let mut bytes = std::fs::read(released_wasm()).unwrap();
    bytes.extend([0, 2, 1, b'x']);
    std::fs::write(&wasm, bytes).unwrap();
    let layout = folder.path().join("image");
    image(&wasm, &layout).await.unwrap();
    (folder, layout)
}

#[tokio::test]
async fn an_image_replaced_under_its_tag_is_fetched_anew_only_with_always_and_a_new_version() {
    let shop = Shop::new("replaced").await;
    let (_folder, other) = another_image().await;
    let url = shop.chain.image("replaced").await.unwrap();
    let module = async |gateway: &Running| {
        let extension = gateway.extension(&format!("{}/switchyard", shop.namespace)).await?.unwrap_or_default();
        let file = &extension["config"]["vm_config"]["code"]["local"]["filename"];
        file.as_str().map(ToOwned::to_owned).ok_or_else(|| format!("no module: {extension}"))
    };
    let apply = async |gateway: &Running, tag: &str, policy: &str| {
        shop.apply(&url, tag, &[("imagePullPolicy", policy)]).await;
        shop.until(gateway, 200, Some(tag)).await;
    };
    shop.apply(&url, "one", &[("imagePullPolicy", "IfNotPresent")]).await;
    let gateway = shop.chain.agent(&shop.gateway("gw")).start().await.unwrap();
    shop.until(&gateway, 200, Some("one")).await;
    let first = module(&gateway).await.unwrap();

    shop.chain.push(&other, "replaced").await.unwrap();
    apply(&gateway, "two", "IfNotPresent").await;
    assert_eq!(module(&gateway).await.unwrap(), first, "IfNotPresent keeps the module, with a new pluginConfig too");
    apply(&gateway, "three", "Always").await;
    let second = module(&gateway).await.unwrap();
    assert_ne!(second, first, "Always fetches it when the WasmPlugin changes");

    // Without a change of the WasmPlugin nobody looks.
    shop.chain.image("replaced").await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(module(&gateway).await.unwrap(), second);
    apply(&gateway, "four", "Always").await;
    assert_eq!(module(&gateway).await.unwrap(), first);
}
