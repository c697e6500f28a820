//! The cases in the released .wasm, in wasmtime.

#![cfg(not(target_family = "wasm"))]

use switchyard_host_sim::wasm_host::Module;
use switchyard_tests::case::{Host, Tally, folder, load_all};
use switchyard_tests::harness::released_wasm;
use switchyard_tests::hosts::wasm;

#[test]
fn cases() {
    let cases = load_all(&folder()).expect("cases");
    let module = Module::load(released_wasm()).expect("the released .wasm");
    let mut tally = Tally::new(Host::Wasmtime);
    let result = wasm::run_all(&module, cases.iter().map(|case| &case.lowered), &mut tally);
    tally.print();
    result.expect("the VM");
    assert!(tally.is_good());
}
