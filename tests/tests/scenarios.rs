//! What tutorials teach, applied to a real Envoy with our filter.

#![cfg(not(target_family = "wasm"))]

use std::fmt::Write as _;
use std::path::Path;
use switchyard_tests::scenario::{command, envoy, load_all};

const SWITCHYARD: &str = env!("CARGO_BIN_EXE_switchyard-in-tests");

/// `UPDATE_SCENARIOS=1 cargo test -p switchyard-tests --test scenarios` writes what is printed today; look at the
/// difference before you commit it.
#[test]
fn check_says_of_each_what_is_pinned() {
    let update = std::env::var_os("UPDATE_SCENARIOS").is_some();
    let mut failures = String::new();
    for scenario in load_all().unwrap() {
        let file = scenario.folder.join("check.txt");
        let said = command::check(Path::new(SWITCHYARD), &scenario).unwrap();
        if update {
            std::fs::write(&file, &said).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if said != expected {
            let _ = write!(failures, "\n=== {}\n--- expected\n{expected}--- came out\n{said}", scenario.name);
        }
        assert_eq!(said.ends_with("(exit code 3)\n"), scenario.is_refused(), "{}: {said}", scenario.name);
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn generate_writes_nothing_of_what_check_refuses() {
    for scenario in load_all().unwrap().iter().filter(|scenario| scenario.is_refused()) {
        assert_eq!(command::refused(Path::new(SWITCHYARD), scenario).unwrap(), [""; 0], "{}", scenario.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_fare_as_it_is_taught() {
    let scenarios = load_all().unwrap();
    assert!(envoy::run_all(&scenarios).await.is_good("Envoy"));
}
