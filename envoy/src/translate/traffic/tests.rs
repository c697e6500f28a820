//! The rules of istio.md 2.2 to 2.6 and 3, block by block: for each what is said where it is broken, all of it, with its
//! place and what to write instead; and that nothing is said of what Istio takes.

mod balancing;
mod credentials;
mod ejection;
mod gateway;
mod hash;
mod locality;
mod outlier;
mod pool;
mod references;
mod rule;
mod tls;

use super::super::tests::{SERVICES, manifests};
use super::super::{Model, Options};
use crate::diagnostic::Diagnostic;
use std::fmt::Write as _;

/// The host that DestinationRules of these tests are for: ten endpoints, of which the default 10 percent are one.
const HOST: &str = "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a, namespace: shop}
spec:
  hosts: [a.example]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 10.0.0.1, labels: {app: a}}
  - {address: 10.0.0.2, labels: {app: a}}
  - {address: 10.0.0.3}
  - {address: 10.0.0.4}
  - {address: 10.0.0.5}
  - {address: 10.0.0.6}
  - {address: 10.0.0.7}
  - {address: 10.0.0.8}
  - {address: 10.0.0.9}
  - {address: 10.0.0.10}
";

/// Checks every row of a table: a line with what is written (`~`: nothing), of which `manifest` makes `a.yaml`, and below
/// it, indented, all that is said of it beside [`HOST`], `b.yaml`, each as [`line()`] has it.
fn check(manifest: impl Fn(&str) -> String, table: &str) {
    check_each(table, |written| said(&[&manifest(written), HOST]));
}

/// The same of all that `said` tells of a row.
fn check_each(table: &str, said: impl Fn(&str) -> Vec<String>) {
    let mut rows: Vec<(&str, Vec<&str>)> = vec![];
    for line in table.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("  "), rows.last_mut()) {
            (Some(expected), Some((_, all))) => all.push(expected),
            _ => rows.push((line, vec![])),
        }
    }
    assert!(!rows.is_empty(), "a table without rows");
    let mut wrong = String::new();
    for (written, expected) in rows {
        let found = said(if written == "~" { "" } else { written });
        if found != expected {
            let _ = writeln!(wrong, "{written}\n  {}\nbut said is\n  {}", expected.join("\n  "), found.join("\n  "));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Everything that is said of these files, `a.yaml`, `b.yaml`, and so on.
fn said(texts: &[&str]) -> Vec<String> {
    match Model::new(&manifests(texts), &Options::default()) {
        Ok(model) => model.warnings().iter().map(line).collect(),
        Err(said) => said.iter().map(line).collect(),
    }
}

/// `error FILE:LINE:COLUMN: MESSAGE; WHAT TO WRITE INSTEAD`, or `warning`.
fn line(found: &Diagnostic) -> String {
    let severity = if found.is_error() { "error" } else { "warning" };
    let place = found.place.as_ref().map(ToString::to_string).unwrap_or_default();
    let help = found.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    format!("{severity} {place}: {}{help}", found.message)
}

/// A resource of Istio's with this `spec`, from line 4, column 7 on.
fn resource(kind: &str, spec: &str) -> String {
    format!("apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: a, namespace: shop}}\nspec: {spec}\n")
}

/// A DestinationRule of [`HOST`] with this traffic policy, from line 6, column 19 on.
fn policy(written: &str) -> String {
    resource("DestinationRule", &format!("\n  host: a.example\n  trafficPolicy: {{{written}}}"))
}

/// [`SERVICES`], and its DestinationRule of the host `catalogdetail` with this policy, and of its subset `v2`.
fn with(top: &str, subset: &str) -> String {
    let v2 = "{name: v2, labels: {version: v2}";
    assert!(SERVICES.contains(v2) && SERVICES.ends_with("]\n"), "{SERVICES}");
    SERVICES.replace(v2, &format!("{v2}, trafficPolicy: {subset}")) + &format!("  trafficPolicy: {top}\n")
}

/// A policy that says nothing of what is tested.
const NONE: &str = "{loadBalancer: {consistentHash: {httpHeaderName: none}}}";
