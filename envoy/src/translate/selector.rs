//! Labels that select workloads, as Istio's validation wants them (istio.md 2.0).

use super::{Notes, spec};
use crate::manifest::Manifest;
use std::collections::BTreeMap;

/// Notes labels of a `workloadSelector` that select nothing in Istio: it refuses empty keys and wildcards.
pub fn check(manifest: &Manifest, field: &str, labels: &BTreeMap<String, String>, notes: &mut Notes) {
    for (key, value) in labels {
        let said = if key.is_empty() {
            "a label needs a name"
        } else if key.contains('*') || value.contains('*') {
            "a `*` stands for nothing in a selector: write the whole label"
        } else {
            continue;
        };
        notes.push(manifest.error(&spec(field).field(key), said));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::told;

    /// As the random sets found that istiod refuses them (`validateWorkloadSelector`, `validateWorkloadEntry`).
    #[test]
    fn what_selects_nothing_and_what_is_no_address_is_told_at_its_field() {
        let entry = |more: &str| {
            format!(
                "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: a, namespace: shop}}\nspec: \
                 {{hosts: [a.example], ports: [{{number: 80, name: http, protocol: HTTP}}], {more}}}\n"
            )
        };
        let selects = entry("resolution: STATIC, workloadSelector: {labels: {app: 'a*', '': b}}");
        let lists = entry("resolution: DNS, endpoints: [{address: 'a b'}]");
        let workload = "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: w, namespace: shop}\n\
                        spec: {address: '*.a'}\n";
        let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r, namespace: shop}\n\
                    spec: {host: a.example, workloadSelector: {matchLabels: {app: 'f*'}}}\n";
        let wildcard = "a `*` stands for nothing in a selector: write the whole label";
        for (texts, expected) in [
            (vec![selects.as_str()], vec!["a label needs a name", wildcard]),
            (vec![&lists], vec!["`a b` is no IP address and no name"]),
            (vec![&lists.replace("a b", "a.b"), workload], vec!["`*.a` is no IP address and no name"]),
            (vec![&lists.replace("a b", "a.b"), rule], vec![wildcard]),
        ] {
            let said: Vec<String> = told(&texts).into_iter().filter(|line| line.starts_with("error")).collect();
            assert_eq!(said.len(), expected.len(), "{said:?}");
            assert!(expected.iter().all(|text| said.iter().any(|line| line.ends_with(text))), "{said:?}");
        }
    }
}
