//! The cases in the core on wasm32-unknown-unknown, run by Node (`make node`).

#![cfg(target_family = "wasm")]

use switchyard_tests::case::{Host, Lowered, Tally};
use switchyard_tests::hosts::core;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

/// There are no files here: what `lower-cases` wrote is compiled in.
const CASES: &[u8] = include_bytes!(env!("SWITCHYARD_CASES"));

#[wasm_bindgen_test]
fn cases() {
    let cases: Vec<Lowered> = serde_json::from_slice(CASES).expect("what `lower-cases` wrote");
    let mut tally = Tally::new(Host::Node);
    core::run_all(&cases, &mut tally);
    console_log!("{}", tally.report());
    assert!(tally.is_good(), "{}", tally.report());
}
