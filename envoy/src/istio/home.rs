//! The namespace of the proxies of `--gateway`: a Gateway selects pods wherever they are. Istio goes by theirs where an
//! `exportTo` says who sees something (`VirtualServicesForGateway`), whatever namespace the Gateway has.

use super::embedded::{covers, digests, is_bound};
use super::owned::is_left;
use super::selection::{Selection, selector_of};
use super::workload::{self, Labels};
use super::{Settings, Via};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifest, Manifests};
use crate::translate::{DefaultExport, Options, selects};
use crate::yaml::Path;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use switchyard_filter::compile::resolve;

/// The annotation of a Service that says who sees it.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// The namespace of the proxies: that of the pods which manifests show to be a Gateway's. Where none are shown it is that of
/// the manifests, unless that decides anything. `told` is the command's.
///
/// # Errors
/// What the gateway sees hangs on it, and nothing shows it, or shows another one.
pub fn home(
    manifests: &Manifests,
    told: Option<&str>,
    options: &Options,
    settings: &Settings,
) -> Result<String, Vec<Diagnostic>> {
    let Selection::Gateway { namespace, name } = &settings.selection else { return Ok(manifests.namespace.clone()) };
    let gateway = manifests.of(Kind::Gateway).find(|one| one.namespace == *namespace && one.name == *name);
    // One that is not there, or selects everybody, is told later.
    let Some(selector) = gateway.map(selector_of).filter(|selector| !selector.is_empty()) else {
        return Ok(manifests.namespace.clone());
    };
    let shown = shown(manifests, &selector);
    let one = shown.keys().next().filter(|_| shown.len() == 1);
    match (told, one) {
        (None, Some(one)) => return Ok((*one).to_owned()),
        (Some(told), _) if shown.is_empty() || one == Some(&told) => return Ok(told.to_owned()),
        _ => {}
    }
    let id = format!("{namespace}/{name}");
    let mut hanging = match settings.via {
        Via::ClusterHeader => hanging(manifests, &id, options).into_iter(),
        Via::Tags => vec![].into_iter(),
    };
    let Some((first, path)) = hanging.next() else { return Ok(manifests.namespace.clone()) };
    let labels = workload::shown(&selector);
    let (why, help) = match (told, one) {
        (Some(told), Some(one)) => (
            format!("`--namespace {told}` is another one than that of `{}`", shown[one]),
            format!("write `--namespace {one}`, or leave it out"),
        ),
        (_, None) if !shown.is_empty() => {
            let all: Vec<_> = shown.values().map(|one| format!("`{one}`")).collect();
            // There labels select the pods of every namespace.
            let help = if shown.contains_key(settings.root_namespace.as_str()) {
                "give those of each labels of their own, and name these: `--workload NS/KEY=VALUE`".to_owned()
            } else {
                let each: Vec<_> = shown.keys().map(|namespace| format!("`--workload {namespace}/{labels}`")).collect();
                format!("generate for each of them: {}", each.join(", "))
            };
            (format!("it has {}", all.join(" and ")), help)
        }
        _ => (
            format!("no workload or Service {labels} is among the manifests"),
            format!(
                "write where they run, such as `--namespace {}`, or add their Deployment or Service to the manifests",
                settings.root_namespace
            ),
        ),
    };
    let is_by_default = path == Path::root().field("metadata").field("name");
    let what = if is_by_default { "this, exported as the mesh has it by default," } else { "this" };
    let message = format!("whether {what} counts at `{id}` hangs on the namespace of its pods: {why}");
    let found = first.error(&path, &message).help(help);
    Err(vec![hanging.take(3).fold(found, |found, (other, path)| found.also(other.place(&path), "so does this"))])
}

/// Namespaces that have pods with these labels, or a Service for such, with the first that shows it.
fn shown<'a>(manifests: &'a Manifests, selector: &Labels) -> BTreeMap<&'a str, String> {
    let pods = workload::all(manifests).into_iter().filter(|one| selects(selector, &one.labels));
    let pods = pods.map(|one| (one.namespace, one.shown));
    let is_theirs = |service: &&Manifest| {
        let labels = service.node.get("spec").and_then(|spec| spec.get("selector")).map(workload::pairs);
        labels.is_some_and(|labels| selects(selector, &labels))
    };
    let services = manifests.of(Kind::Service).filter(is_theirs).map(|one| (one.namespace.as_str(), one.to_string()));
    let mut found = BTreeMap::new();
    for (namespace, shown) in pods.chain(services) {
        found.entry(namespace).or_insert(shown);
    }
    found
}

/// What one namespace's gateway sees, and another's does not: where it is written.
fn hanging<'a>(manifests: &'a Manifests, gateway: &str, options: &Options) -> Vec<(&'a Manifest, Path)> {
    let own = [gateway.to_owned()];
    let is_own = |one: &&Manifest| !is_left(one) && is_bound(one, &own);
    let bound: Vec<_> = manifests.of(Kind::VirtualService).filter(is_own).collect();
    let named: BTreeSet<_> = bound.iter().flat_map(|one| delegates(one)).collect();
    let is_named = |one: &&Manifest| named.contains(&(one.namespace.clone(), one.name.clone()));
    let deciding: Vec<_> = bound.iter().copied().chain(manifests.of(Kind::VirtualService).filter(is_named)).collect();
    let mut destinations = BTreeSet::new();
    for one in &deciding {
        let mut written = BTreeSet::new();
        collect(&one.spec()["http"], &mut written);
        destinations.extend(written.iter().map(|host| resolve(host, &one.namespace, &options.domain)));
    }
    let leads = |host: &str| destinations.iter().any(|known| covers(host, known) || covers(known, host));
    let field = |one: &Manifest| one.spec()["exportTo"].clone();
    let mesh = &options.mesh;
    let mut found = vec![];
    found.extend(bound.iter().filter_map(|one| exported(one, &field(one), &mesh.virtual_services)));
    found.extend(deciding.iter().flat_map(|one| source_namespaces(one)));
    for one in manifests.of(Kind::ServiceEntry) {
        let hosts = one.spec()["hosts"].as_array().cloned().unwrap_or_default();
        if hosts.iter().filter_map(Value::as_str).any(|host| leads(&host.to_ascii_lowercase())) {
            found.extend(exported(one, &field(one), &mesh.services));
        }
    }
    for one in manifests.of(Kind::Service) {
        if leads(&format!("{}.{}.svc.{}", one.name, one.namespace, options.domain)) {
            let written = one.annotations.get(EXPORT_TO).filter(|written| !written.is_empty());
            let meant: Vec<_> = written.iter().flat_map(|all| all.split(',')).map(str::trim).collect();
            found.extend(exported(one, &meant.into(), &mesh.services));
        }
    }
    for one in manifests.of(Kind::DestinationRule) {
        let host = one.spec()["host"].as_str().map(|host| resolve(host, &one.namespace, &options.domain));
        // The rest of it is Istio's.
        let counts = digests(one).is_some_and(|all| all.contains_key("subsets") || all.contains_key("trafficPolicy"));
        if counts && host.is_some_and(|host| leads(&host)) {
            found.extend(exported(one, &field(one), &mesh.destination_rules));
        }
    }
    found
}

/// Where it says that some namespaces see it and others do not.
fn exported<'a>(one: &'a Manifest, written: &Value, default: &DefaultExport) -> Option<(&'a Manifest, Path)> {
    let written: Vec<_> =
        written.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let meant = default.or_default(&written);
    if meant.is_empty() || meant.iter().any(|name| name == "*" || name == "~") {
        return None;
    }
    let path = match (one.kind, written.is_empty()) {
        (_, true) => Path::root().field("metadata").field("name"),
        (Kind::Service, _) => Path::root().field("metadata").field("annotations").field(EXPORT_TO),
        _ => Path::root().field("spec").field("exportTo"),
    };
    Some((one, path))
}

/// The VirtualServices that one delegates to.
fn delegates(one: &Manifest) -> Vec<(String, String)> {
    let spec = one.spec();
    let rules = spec["http"].as_array().into_iter().flatten();
    let delegate = |rule: &Value| {
        let namespace = rule["delegate"]["namespace"].as_str().filter(|namespace| !namespace.is_empty());
        Some((namespace.unwrap_or(&one.namespace).to_owned(), rule["delegate"]["name"].as_str()?.to_owned()))
    };
    rules.filter_map(delegate).collect()
}

/// Where it asks for the proxy's namespace.
fn source_namespaces(one: &Manifest) -> Vec<(&Manifest, Path)> {
    let spec = one.spec();
    let mut found = vec![];
    for (rule, http) in spec["http"].as_array().into_iter().flatten().enumerate() {
        for (block, matches) in http["match"].as_array().into_iter().flatten().enumerate() {
            if matches["sourceNamespace"].as_str().is_some_and(|namespace| !namespace.is_empty()) {
                let path = Path::parse(&format!("http[{rule}].match[{block}].sourceNamespace")).0;
                found.push((one, Path::root().field("spec").join(&path)));
            }
        }
    }
    found
}

/// The hosts of destinations and mirrors.
fn collect(value: &Value, found: &mut BTreeSet<String>) {
    for field in ["destination", "mirror"] {
        found.extend(value[field]["host"].as_str().map(str::to_owned));
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, found)),
        _ => {}
    }
}
