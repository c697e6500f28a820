//! The cases through `decide`, in this process.

#![cfg(not(target_family = "wasm"))]

use switchyard_tests::case::{Host, Tally, folder, load_all};
use switchyard_tests::hosts::core;

#[test]
fn cases() {
    let cases = load_all(&folder()).expect("cases");
    let mut tally = Tally::new(Host::Native);
    for case in &cases {
        let lowered = &case.lowered;
        // What is said of manifests is the same everywhere, and asked here. Where that is all there is to a case, the
        // other hosts have nothing to run, and the case says why.
        let said_is_all = lowered.refused && lowered.cannot_run.contains_key(&Host::Node);
        if said_is_all || !case.wrong.is_empty() {
            tally.count(lowered, case.wrong.clone());
        } else {
            core::run_all([lowered], &mut tally);
        }
    }
    tally.print();
    assert!(tally.is_good());
}

#[test]
fn a_folder_without_cases_is_an_error() {
    let empty = tempfile::tempdir().expect("folder");
    assert!(load_all(empty.path()).expect_err("empty").contains("has no case"));
}
