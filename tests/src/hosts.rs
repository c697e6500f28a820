//! The hosts that run the cases. All run the same files and compare by the same code.

pub mod core;
#[cfg(not(target_family = "wasm"))]
pub mod envoy;
#[cfg(not(target_family = "wasm"))]
pub mod istio;
#[cfg(not(target_family = "wasm"))]
pub mod plugin;
#[cfg(not(target_family = "wasm"))]
pub mod wasm;

/// A list of cases by name, each with a reason, but for those that were not loaded: `SWITCHYARD_CASES_ONLY`.
#[cfg(not(target_family = "wasm"))]
pub fn among(cases: &[crate::case::CaseFile], list: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    let loaded = |name: &str| cases.iter().any(|case| case.lowered.name == name);
    let list = list.iter().filter(|(name, _)| loaded(name));
    list.map(|(name, reason)| ((*name).to_owned(), (*reason).to_owned())).collect()
}
