//! Labels that are taken for those of sidecars, and may be a gateway's: there nothing would be stripped and no route would
//! take what is decided.

use super::selection::{Place, Selection, Selector, Target, selector_of};
use super::workload::{self, Workload, contradict};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifest, Manifests};
use crate::translate::selects;
use std::collections::BTreeSet;

/// Labels that Istio gives the pods of a Gateway of the Gateway API, also of a waypoint (its templates `kube-gateway.yaml` and
/// `waypoint.yaml`); the value of the first is the Gateway's name.
const OF_GATEWAYS: [&str; 3] = [
    "gateway.networking.k8s.io/gateway-name",
    "gateway.networking.k8s.io/gateway-class-name",
    "gateway.istio.io/managed",
];

/// What to know of such a selection.
///
/// # Errors
/// The manifests show that they are a gateway's.
pub fn doubt(
    manifests: &Manifests,
    selection: &Selection,
    target: &Target,
    workloads: &[Workload<'_>],
) -> Result<Vec<String>, Vec<Diagnostic>> {
    let (Selection::Workload { namespace, .. }, Selector::Labels(labels)) = (selection, &target.selector) else {
        return Ok(vec![]);
    };
    let mut notes = vec![];
    if target.everywhere {
        let taken = match target.place {
            Place::Sidecar => format!(
                ": short names, `exportTo` and `sourceNamespace` are taken as in `{}`, so name the workloads' own namespace",
                manifests.namespace
            ),
            _ => String::new(),
        };
        notes.push(format!(
            "warning: `{namespace}` is Istio's root namespace: workloads {} of every namespace are selected{taken}",
            workload::shown(labels)
        ));
    }
    if target.place != Place::Sidecar {
        return Ok(notes);
    }
    let here = workloads.iter().filter(|one| is_here(target, one.namespace) && selects(labels, &one.labels));
    let mut told = std::iter::once((namespace.as_str(), labels)).chain(here.map(|one| (one.namespace, &one.labels)));
    let of_gateway = |(namespace, own): (&str, &workload::Labels)| {
        let key = OF_GATEWAYS.into_iter().find(|key| own.contains_key(*key))?;
        let name = own.get(OF_GATEWAYS[0]).map_or("NAME", String::as_str);
        Some((key, format!("select the Gateway itself: `--target-ref {namespace}/Gateway/{name}`")))
    };
    if let Some((key, help)) = told.find_map(of_gateway) {
        let message = format!(
            "`{key}` is a label of the pods of a Gateway (Gateway API), which `--workload` would take for sidecars: nothing \
             would be stripped there, and no route would take what is decided"
        );
        return Err(vec![Diagnostic::unplaced(message).help(help)]);
    }
    let (mut wrong, mut possible) = (vec![], BTreeSet::new());
    for gateway in manifests.of(Kind::Gateway) {
        let selector = selector_of(gateway);
        if selector.is_empty() || contradict(labels, &selector) {
            continue;
        }
        let id = format!("{}/{}", gateway.namespace, gateway.name);
        if let Some(proof) = proof(manifests, target, labels, &selector, workloads) {
            let message = format!(
                "`--workload` selects pods of the Gateway `{id}` (`{proof}`), which it would take for sidecars: nothing would be \
                 stripped there, and no route would take what is decided"
            );
            let both: workload::Labels = labels.iter().chain(&selector).map(|(k, v)| (k.clone(), v.clone())).collect();
            let help = format!(
                "select by the Gateway's labels too: `--workload {namespace}/{}`, or `--gateway {id}`",
                workload::shown(&both)
            );
            wrong.push(Diagnostic::unplaced(message).help(help));
            continue;
        }
        // Where pods of both are known, none of them is the other's.
        let known = |selector: &workload::Labels, here: bool| {
            workloads
                .iter()
                .filter(|one| !here || is_here(target, one.namespace))
                .any(|one| selects(selector, &one.labels))
        };
        let elsewhere = known(&selector, false) && !known(&selector, true);
        if !elsewhere && !known(labels, true) {
            possible.insert(format!("`{id}` ({})", workload::shown(&selector)));
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if !possible.is_empty() {
        let possible: Vec<_> = possible.into_iter().collect();
        notes.push(format!(
            "warning: workloads {} are taken for sidecars. If they are gateways, select by the labels of their Gateway too: {}",
            workload::shown(labels),
            possible.join(", ")
        ));
    }
    Ok(notes)
}

fn is_here(target: &Target, namespace: &str) -> bool {
    target.everywhere || namespace == target.namespace
}

/// What has both, or sends to what has both.
fn proof(
    manifests: &Manifests,
    target: &Target,
    labels: &workload::Labels,
    selector: &workload::Labels,
    workloads: &[Workload<'_>],
) -> Option<String> {
    let has_both = |own: &workload::Labels| selects(labels, own) && selects(selector, own);
    let pod = workloads.iter().find(|one| is_here(target, one.namespace) && has_both(&one.labels));
    let of_service = |one: &&Manifest| {
        one.node
            .get("spec")
            .and_then(|spec| spec.get("selector"))
            .map(workload::pairs)
            .is_some_and(|own| has_both(&own))
    };
    let service = manifests.of(Kind::Service).filter(|one| is_here(target, &one.namespace)).find(of_service);
    pod.map(|one| one.shown.clone()).or_else(|| service.map(ToString::to_string))
}
