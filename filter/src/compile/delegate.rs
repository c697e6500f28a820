//! Delegates: VirtualServices without hosts, whose rules stand in the place of rules that name them (istio.md 1.16).
//!
//! A rule that delegates is replaced by a merged rule for each rule of its delegate that does not contradict it. Only
//! what Istio compares is compared, so some pairs count as contradictions that are none: a regex on both sides, presence.

use super::block::field_of;
use super::name::{resolve, resolve_gateway};
use crate::block::Block;
use crate::document::{Destination, Document, Headers, HttpMatchRequest, HttpRoute, StringMatch};
use crate::policy::Delegated;
use std::collections::BTreeMap;

/// Where a block of a merged rule comes from: its place in the `match` of the rule that delegates, and of the delegate's.
/// One of the two is missing where that rule has no `match`.
pub type BlockOrigin = (Option<usize>, Option<usize>);

/// What one VirtualService is to another: its namespace, in the cluster's domain.
#[derive(Clone, Copy, Debug)]
pub struct Home<'a> {
    /// Where its short names resolve.
    pub namespace: &'a str,
    /// The cluster's domain.
    pub domain: &'a str,
}

/// Whether a VirtualService of `own` namespace is visible to proxies of another, and how near it is to them: 0 for their
/// own, 1 where they are named, 2 for everybody's. Istio looks at the near ones first.
pub fn visibility(export_to: &[String], own: &str, namespace: &str) -> Option<u8> {
    let has = |wanted: &str| export_to.iter().any(|one| one == wanted);
    if export_to.is_empty() || has("*") {
        Some(2)
    } else if has("~") {
        None
    } else if own == namespace && (has(".") || has(own)) {
        Some(0)
    } else {
        has(namespace).then_some(1)
    }
}

/// A rule that delegates and one of its delegate's, in one; `None` where they contradict each other.
pub fn merge(
    root: &HttpRoute,
    root_home: Home<'_>,
    leaf: &HttpRoute,
    leaf_home: Home<'_>,
) -> Option<(HttpRoute, Vec<BlockOrigin>)> {
    let mut merged = leaf.clone();
    let (matches, origins) = blocks(&root.matches, root_home, &leaf.matches, leaf_home)?;
    merged.matches = matches;
    for route in &mut merged.route {
        settle(&mut route.destination, leaf_home);
    }
    merged.mirror.iter_mut().for_each(|mirror| settle(mirror, leaf_home));
    merged.mirrors.iter_mut().filter_map(|mirror| mirror.destination.as_mut()).for_each(|one| settle(one, leaf_home));
    if merged.name.is_empty() {
        merged.name.clone_from(&root.name);
    } else if !root.name.is_empty() {
        merged.name = format!("{}-{}", root.name, leaf.name);
    }
    if merged.mirror.is_none() {
        merged.mirror.clone_from(&root.mirror);
        merged.mirror.iter_mut().for_each(|mirror| settle(mirror, root_home));
    }
    if merged.mirrors.is_empty() {
        merged.mirrors.clone_from(&root.mirrors);
        let destinations = merged.mirrors.iter_mut().filter_map(|mirror| mirror.destination.as_mut());
        destinations.for_each(|one| settle(one, root_home));
    }
    // A block of the delegate's stands for the whole of the other's: nothing is merged inside.
    macro_rules! inherit {
        ($($field:ident),*) => {$(
            if merged.$field.is_none() {
                merged.$field.clone_from(&root.$field);
            }
        )*};
    }
    inherit!(rewrite, direct_response, timeout, retries, fault, cors_policy, headers, sticky_by);
    inherit!(mirror_percent, mirror_percent_snake, mirror_percentage);
    Some((merged, origins))
}

/// How large the two in one would be: pairs of blocks with their conditions, and what is copied beside them.
pub fn parts(root: &HttpRoute, leaf: &HttpRoute) -> usize {
    let conditions = |http: &HttpRoute| {
        let of = |block: &HttpMatchRequest| {
            1_usize
                .saturating_add(block.headers.len())
                .saturating_add(block.without_headers.len())
                .saturating_add(block.query_params.len())
        };
        http.matches.iter().map(of).sum::<usize>().max(1)
    };
    let operations = |headers: &Option<Headers>| -> usize {
        let both = headers.iter().flat_map(|headers| headers.request.iter().chain(&headers.response));
        both.map(|all| all.set.len().saturating_add(all.add.len()).saturating_add(all.remove.len())).sum()
    };
    let copied = |http: &HttpRoute| {
        let destinations = http.route.iter().map(|to| operations(&to.headers).saturating_add(1)).sum::<usize>();
        let body = http.direct_response.iter().flat_map(|answer| &answer.body);
        let body = body.flat_map(|body| body.string.iter().chain(&body.bytes)).map(String::len).sum::<usize>() / 1024;
        destinations.saturating_add(operations(&http.headers)).saturating_add(http.mirrors.len()).saturating_add(body)
    };
    let blocks = |http: &HttpRoute| http.matches.len().max(1);
    let conditions =
        conditions(root).saturating_mul(blocks(leaf)).saturating_add(conditions(leaf).saturating_mul(blocks(root)));
    conditions.saturating_add(copied(root)).saturating_add(copied(leaf))
}

/// Every pair of blocks that do not contradict each other; `None` where one of the delegate's has no partner.
fn blocks(
    roots: &[HttpMatchRequest],
    root_home: Home<'_>,
    leaves: &[HttpMatchRequest],
    leaf_home: Home<'_>,
) -> Option<(Vec<HttpMatchRequest>, Vec<BlockOrigin>)> {
    let roots: Vec<_> = roots.iter().map(|block| bound(block, root_home)).collect();
    let leaves: Vec<_> = leaves.iter().map(|block| bound(block, leaf_home)).collect();
    if roots.is_empty() || leaves.is_empty() {
        let of_root = (0..roots.len()).map(|root| (Some(root), None));
        let of_leaf = (0..leaves.len()).map(|leaf| (None, Some(leaf)));
        let origins = of_root.chain(of_leaf).collect();
        return Some((if roots.is_empty() { leaves } else { roots }, origins));
    }
    let (mut merged, mut origins) = (Vec::new(), Vec::new());
    for (index, leaf) in leaves.iter().enumerate() {
        let before = merged.len();
        for (root_index, root) in roots.iter().enumerate() {
            if !contradict(root, leaf) {
                merged.push(both(root, leaf));
                origins.push((Some(root_index), Some(index)));
            }
        }
        if merged.len() == before {
            return None;
        }
    }
    Some((merged, origins))
}

/// A block whose gateways have their full names.
fn bound(block: &HttpMatchRequest, home: Home<'_>) -> HttpMatchRequest {
    let mut block = block.clone();
    for gateway in &mut block.gateways {
        *gateway = resolve_gateway(gateway, home.namespace);
    }
    block
}

/// Gives a destination its full name, where it has a short one.
fn settle(destination: &mut Destination, home: Home<'_>) {
    if !destination.host.is_empty() && !destination.host.contains(['.', ':', '*']) {
        destination.host = resolve(&destination.host, home.namespace, home.domain);
    }
}

/// What both ask; where both ask something of one thing, what the delegate asks.
fn both(root: &HttpMatchRequest, leaf: &HttpMatchRequest) -> HttpMatchRequest {
    let mut merged = leaf.clone();
    macro_rules! inherit {
        ($($field:ident if $absent:ident),* $(,)?) => {$(
            if merged.$field.$absent() {
                merged.$field.clone_from(&root.$field);
            }
        )*};
    }
    inherit!(uri if is_none, scheme if is_none, method if is_none, authority if is_none, port if is_none);
    inherit!(source_namespace if is_empty, gateways if is_empty, stat_prefix if is_empty);
    if merged.name.is_empty() {
        merged.name.clone_from(&root.name);
    } else if !root.name.is_empty() {
        merged.name = format!("{}-{}", root.name, leaf.name);
    }
    add(&mut merged.headers, &root.headers);
    add(&mut merged.without_headers, &root.without_headers);
    add(&mut merged.query_params, &root.query_params);
    add(&mut merged.source_labels, &root.source_labels);
    merged
}

fn add<T: Clone>(merged: &mut BTreeMap<String, T>, root: &BTreeMap<String, T>) {
    for (key, value) in root {
        if !merged.contains_key(key) {
            merged.insert(key.clone(), value.clone());
        }
    }
}

/// Whether Istio takes two blocks for contradictory.
fn contradict(root: &HttpMatchRequest, leaf: &HttpMatchRequest) -> bool {
    let texts = [
        (&root.uri, &leaf.uri),
        (&root.scheme, &leaf.scheme),
        (&root.method, &leaf.method),
        (&root.authority, &leaf.authority),
    ];
    let any = |root: &BTreeMap<String, StringMatch>, leaf: &BTreeMap<String, StringMatch>| {
        leaf.iter().any(|(key, leaf)| texts_contradict(root.get(key), Some(leaf)))
    };
    let without = || {
        let mut all = leaf.without_headers.iter();
        all.any(|(key, leaf)| texts_contradict(root.without_headers.get(key).and_then(Option::as_ref), leaf.as_ref()))
    };
    let labels = || {
        let mut all = leaf.source_labels.iter();
        all.any(|(key, leaf)| root.source_labels.get(key).is_some_and(|root| root != leaf))
    };
    // The delegate's gateways must be among those of the rule that delegates.
    let gateways = || {
        !root.gateways.is_empty()
            && (leaf.gateways.len() > root.gateways.len()
                || leaf.gateways.iter().any(|gateway| !root.gateways.contains(gateway)))
    };
    texts.iter().any(|(root, leaf)| texts_contradict(root.as_ref(), leaf.as_ref()))
        || any(&root.headers, &leaf.headers)
        || without()
        || any(&root.query_params, &leaf.query_params)
        || root.ignore_uri_case != leaf.ignore_uri_case
        || root.port.zip(leaf.port).is_some_and(|(root, leaf)| root != leaf)
        || (!root.source_namespace.is_empty() && leaf.source_namespace != root.source_namespace)
        || labels()
        || gateways()
}

/// Whether Istio takes two texts for contradictory: all that is not plainly a part of the other (`stringMatchConflict`).
fn texts_contradict(root: Option<&StringMatch>, leaf: Option<&StringMatch>) -> bool {
    let (Some(root), Some(leaf)) = (root, leaf) else {
        return false;
    };
    // An empty text counts as none, as protobuf's getters have it.
    let [root_exact, root_prefix, root_regex] =
        [&root.exact, &root.prefix, &root.regex].map(|text| text.as_deref().unwrap_or_default());
    let [exact, prefix, regex] =
        [&leaf.exact, &leaf.prefix, &leaf.regex].map(|text| text.as_deref().unwrap_or_default());
    if !root_regex.is_empty() || !regex.is_empty() {
        return true;
    }
    if !root_exact.is_empty() {
        return !prefix.is_empty() || exact != root_exact;
    }
    let narrower = if prefix.is_empty() { exact } else { prefix };
    root_prefix.is_empty() || !narrower.starts_with(root_prefix)
}

/// Where the halves of a merged rule are written.
pub struct Places<'a> {
    /// The rule that delegates.
    pub root: &'a str,
    /// The delegate's rule.
    pub delegated: Delegated,
    /// The document that has both.
    pub document: &'a Document,
}

impl Places<'_> {
    /// Where a compiled block is written; conditions that stand elsewhere are told where.
    pub fn trace_back(&self, block: &mut Block, origin: Option<BlockOrigin>) -> Box<str> {
        let Delegated { virtual_service_index, index } = self.delegated;
        let own = format!("virtualServices[{virtual_service_index}].http[{index}]");
        let (root, leaf) = origin.unwrap_or_default();
        let root = root.map(|root| format!("{}.match[{root}]", self.root));
        let Some(leaf) = leaf else {
            return root.unwrap_or(own).into();
        };
        let rule = self.document.virtual_services.get(virtual_service_index).and_then(|vs| vs.http.get(index));
        if let (Some(root), Some(written)) = (root, rule.and_then(|rule| rule.matches.get(leaf))) {
            if written.uri.is_none() {
                block.uri = Some(format!("{root}.uri").into());
            }
            for condition in &mut block.conditions {
                if !writes(written, &condition.field) {
                    condition.field = format!("{root}.{}", condition.field).into();
                }
            }
        }
        format!("{own}.match[{leaf}]").into()
    }
}

/// Whether a block has this field, which a condition was made of.
fn writes(block: &HttpMatchRequest, field: &str) -> bool {
    let of = |map: &str, key: &str| *field_of(map, key) == *field;
    match field {
        "scheme" => block.scheme.is_some(),
        "method" => block.method.is_some(),
        "authority" => block.authority.is_some(),
        _ => {
            block.headers.keys().any(|key| of("headers", key))
                || block.without_headers.keys().any(|key| of("withoutHeaders", key))
                || block.query_params.keys().any(|key| of("queryParams", key))
        }
    }
}

#[cfg(test)]
mod tests;
