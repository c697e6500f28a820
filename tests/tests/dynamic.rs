//! What `switchyard generate --dynamic` does to a running Envoy, and what it leaves when it is stopped in between.

#![cfg(not(target_family = "wasm"))]

#[path = "dynamic/order.rs"]
mod order;
#[path = "dynamic/renewed.rs"]
mod renewed;
#[path = "dynamic/stopped.rs"]
mod stopped;
#[path = "dynamic/taken.rs"]
mod taken;

use std::time::Duration;

use switchyard_tests::harness::Echo;
use switchyard_tests::rollout::Live;
use switchyard_tests::rollout::load::Load;
use switchyard_tests::rollout::manifests::Service;

/// The folder, changed by the command as people run it.
fn live() -> Live {
    Live::new(env!("CARGO_BIN_EXE_switchyard-in-tests"))
}

/// An upstream of this name.
async fn echo(name: &str) -> Echo {
    Echo::named(name).obeying().start().await.unwrap()
}

/// All users go to the last version.
fn to_the_last(versions: &[(&'static str, &Echo)]) -> Service {
    Service {
        versions: versions.iter().map(|(name, echo)| (*name, echo.address())).collect(),
        shares: versions.last().map(|(name, _)| (*name, 100)).into_iter().collect(),
        ..Service::default()
    }
}

/// A few users who ask all the time.
fn users(live: &Live) -> Load {
    Load::start(live.listen(), 8, 5, 0, Duration::ZERO)
}
