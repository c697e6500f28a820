//! What Envoy sees before it runs anything.

use super::*;

/// Envoy compiles the whole module at every start.
const MAX_SIZE: u64 = 700_000;

/// All of WASI that Envoy, Istio's proxy and stricter hosts have in common.
const WASI: [&str; 6] = ["clock_time_get", "environ_get", "environ_sizes_get", "fd_write", "proc_exit", "random_get"];

#[test]
fn it_imports_only_the_abi_and_six_names_of_wasi() {
    let imports = MODULE.imports();
    let is_known = |(module, name): &&(String, String)| match module.as_str() {
        "env" => name.starts_with("proxy_"),
        "wasi_snapshot_preview1" => WASI.contains(&name.as_str()),
        _ => false,
    };
    let unknown: Vec<_> = imports.iter().filter(|import| !is_known(import)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(imports.iter().any(|(_, name)| name == "proxy_get_header_map_pairs"), "{imports:?}");
}

#[test]
fn it_is_small() {
    let size = std::fs::metadata(released_wasm()).expect("it is there").len();
    println!("{size} bytes");
    assert!(size <= MAX_SIZE, "{size} bytes, at most {MAX_SIZE}");
}
