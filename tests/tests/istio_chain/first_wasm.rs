//! The first Wasm that reaches an Envoy which runs already (istio.md 5.6).

use super::shop::{PATIENCE, Shop};
use std::process::Command;
use std::time::Duration;
use switchyard_tests::chain::eventually;

/// Envoy up to 1.37.0 dies of it where the processor has memory protection keys and V8 uses them; elsewhere it lives. So what
/// is asserted hangs on the machine, and the test says on which it ran; `istio_first_wasm` has a processor with them
/// everywhere.
#[tokio::test]
async fn the_first_wasm_kills_a_running_1_37_0_but_not_one_that_starts_with_it() {
    let shop = Shop::new("first").await;
    let url = shop.chain.image("first").await.unwrap();
    let start = |name: &str, version: &str| shop.chain.agent(&shop.gateway(name)).envoy(version).start();
    let mut old = start("old", "1.37.0").await.unwrap();
    let mut new = start("new", "1.40.0").await.unwrap();
    shop.until(&old, 200, None).await;
    shop.until(&new, 200, None).await;
    shop.apply(&url, "one", &[]).await;
    shop.until(&new, 200, Some("one")).await;
    if protection_keys() {
        eprintln!("this machine has memory protection keys: Envoy 1.37.0 dies of its first Wasm");
        let end = old.wait_ended(PATIENCE).await;
        let log = old.log();
        assert!(end.is_ok() && log.contains("Caught Segmentation fault"), "{end:?}\n{log}");
    } else {
        eprintln!("this machine has no memory protection keys: Envoy 1.37.0 lives through its first Wasm");
        shop.until(&old, 200, Some("one")).await;
    }

    let mut rolled = start("rolled", "1.37.0").await.unwrap();
    shop.until(&rolled, 200, Some("one")).await;
    // Further changes do it no harm.
    shop.apply(&url, "two", &[]).await;
    shop.until(&rolled, 200, Some("two")).await;
    assert_eq!((rolled.ended(), new.ended()), (None, None));
}

/// Whether the processor has them and Linux lets programs use them.
fn protection_keys() -> bool {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    flags.split_whitespace().any(|flag| flag == "ospke")
}

#[tokio::test]
async fn an_agent_and_its_envoy_end_together() {
    let shop = Shop::new("ends").await;
    let start = |name: &str| shop.chain.agent(&shop.gateway(name)).start();
    let dead = async |admin: switchyard_tests::harness::Admin| match admin.get("/ready").await {
        Ok(_) => Err("envoy answers".to_owned()),
        Err(_) => Ok(()),
    };
    let signal = |name: &str, id: &str| {
        assert!(Command::new("kill").args([name, id]).status().unwrap().success());
    };

    // A killed agent takes its Envoy with it.
    let mut killed = start("killed").await.unwrap();
    signal("-KILL", &killed.id().to_string());
    killed.wait_ended(Duration::from_secs(5)).await.unwrap();
    eventually(PATIENCE, async || dead(killed.admin()).await).await.unwrap();

    // An Envoy that crashes ends its agent, as a pod would end.
    let mut crashed = start("crashed").await.unwrap();
    let children = Command::new("ps").args(["-o", "pid=", "--ppid", &crashed.id().to_string()]).output().unwrap();
    signal("-SEGV", String::from_utf8(children.stdout).unwrap().trim());
    crashed.wait_ended(PATIENCE).await.unwrap();

    // So does a drop.
    let dropped = start("dropped").await.unwrap();
    let admin = dropped.admin();
    drop(dropped);
    eventually(PATIENCE, async || dead(admin).await).await.unwrap();
}
