//! Match blocks: conditions, and the selectors that are decided here and now.

use super::{Scope, name};
use crate::block::{Ask, Block, Condition};
use crate::document::{HttpMatchRequest, StringMatch};
use crate::error::{At, push_field};
use crate::headers;
use crate::matcher::header::HeaderMatch;
use crate::matcher::path::PathMatch;
use crate::matcher::peer::PeerMatch;
use crate::matcher::query::QueryMatch;
use crate::matcher::source_ip::{Cidr, SourceIpMatch};
use crate::matcher::text::{EmptyPrefix, TextMatch};
use crate::tag::tag_of;

/// Pseudo headers that Istio lets a rule match (istio.md 1.4).
const PSEUDO: [&str; 5] = [":authority", ":method", ":path", ":scheme", ":status"];

/// Where a match block stands: their vocabularies differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// In a tag's rule.
    Tag,
    /// In a VirtualService of this namespace, bound to these gateways.
    VirtualService { namespace: &'a str, gateways: &'a [String] },
}

/// Compiles a list of match blocks: those that apply to this proxy, each with its place in the list. An empty list is
/// one block that matches everything; `None` when something is wrong, which has been noted.
pub fn compile_all(
    written: &[HttpMatchRequest],
    place: Place<'_>,
    scope: &Scope<'_>,
    at: &mut At,
) -> Option<Vec<(Option<usize>, Block)>> {
    if written.is_empty() {
        let selected = selects(&HttpMatchRequest::default(), place, scope);
        let path = PathMatch::compile(None, false, at)?;
        return Some(
            selected.then(|| (None, Block { path, uri: None, conditions: Box::default() })).into_iter().collect(),
        );
    }
    let before = at.count();
    let mut blocks = Vec::new();
    at.field("match", |at| {
        for (index, block) in written.iter().enumerate() {
            let compiled = at.index(index, |at| compile(block, place, scope, at));
            if let Some(compiled) = compiled.filter(|_| selects(block, place, scope)) {
                blocks.push((Some(index), compiled));
            }
        }
    });
    (at.count() == before).then_some(blocks)
}

/// Whether a block is meant for this proxy at all (istio.md 1.3). `sourceLabels` and `sourceNamespace` are only looked
/// at where `gateways` is not set, as in Istio.
fn selects(block: &HttpMatchRequest, place: Place<'_>, scope: &Scope<'_>) -> bool {
    if block.port.is_some_and(|port| port != scope.port) {
        return false;
    }
    let bound = |gateways: &[String], namespace: &str| {
        gateways.iter().any(|gateway| scope.gateways.contains(&name::resolve_gateway(gateway, namespace)))
    };
    let namespace = match place {
        Place::Tag => scope.namespace,
        Place::VirtualService { namespace, .. } => namespace,
    };
    let at_home = match place {
        Place::Tag => true,
        Place::VirtualService { gateways: [], .. } => scope.is_mesh,
        Place::VirtualService { gateways, .. } => bound(gateways, namespace),
    };
    if !at_home || !block.gateways.is_empty() {
        // One that the VirtualService is not bound to never asks for it.
        let own = |gateway: &String| match place {
            Place::Tag => true,
            Place::VirtualService { gateways: [], .. } => gateway == name::MESH,
            Place::VirtualService { gateways, .. } => {
                let full = name::resolve_gateway(gateway, namespace);
                gateways.iter().any(|other| name::resolve_gateway(other, namespace) == full)
            }
        };
        return at_home
            && block.gateways.iter().any(|gateway| own(gateway) && bound(core::slice::from_ref(gateway), namespace));
    }
    let labelled = block.source_labels.iter().all(|(key, value)| scope.labels.get(key) == Some(value));
    let spaced = block.source_namespace.is_empty() || block.source_namespace == scope.proxy_namespace;
    labelled && spaced
}

fn compile(written: &HttpMatchRequest, place: Place<'_>, scope: &Scope<'_>, at: &mut At) -> Option<Block> {
    let before = at.count();
    check_selectors(written, at);
    let path = PathMatch::compile(written.uri.as_ref(), written.ignore_uri_case, at);
    let mut conditions = Vec::new();
    for (key, value) in &written.headers {
        at.field("headers", |at| conditions.extend(header(key, Some(value), false, scope, at)));
    }
    for (key, value) in &written.without_headers {
        at.field("withoutHeaders", |at| conditions.extend(header(key, value.as_ref(), true, scope, at)));
    }
    let pseudo = [("method", &written.method), ("authority", &written.authority), ("scheme", &written.scheme)];
    for (field, value) in pseudo {
        let Some(value) = value else { continue };
        let text = at.field(field, |at| TextMatch::compile(value, EmptyPrefix::Refused, at));
        let name = format!(":{field}").into();
        conditions.extend(text.map(|text| Condition {
            field: field.into(),
            ask: Ask::Header(HeaderMatch { name, tag: None, without: false, text }),
        }));
    }
    for (key, value) in &written.query_params {
        let text =
            at.field("queryParams", |at| at.field(key, |at| TextMatch::compile(value, EmptyPrefix::Refused, at)));
        conditions.extend(text.map(|text| Condition {
            field: field_of("queryParams", key),
            ask: Ask::Query(QueryMatch { name: key.as_str().into(), text }),
        }));
    }
    if !written.source_ip.is_empty() {
        conditions.extend(at.field("sourceIp", |at| source_ip(&written.source_ip, place, at)));
    }
    if !written.peer.is_empty() {
        conditions.extend(at.field("peer", |at| peer(&written.peer, place, at)));
    }
    (at.count() == before).then_some(())?;
    Some(Block { path: path?, uri: None, conditions: conditions.into() })
}

/// Notes selectors that could never hold.
fn check_selectors(written: &HttpMatchRequest, at: &mut At) {
    if written.port == Some(0) {
        at.field("port", |at| at.error("`0` is out of range: 1 to 65535"));
    }
    if !written.source_namespace.is_empty() {
        at.field("sourceNamespace", |at| name::check_label(&written.source_namespace, "namespace", at));
    }
    at.field("gateways", |at| {
        for (index, gateway) in written.gateways.iter().enumerate() {
            at.index(index, |at| name::check_gateway(gateway, at));
        }
    });
    at.field("sourceLabels", |at| {
        for (key, value) in &written.source_labels {
            // Kubernetes' labels: an optional prefix and `/` before the name.
            let inner = |text: &str| {
                text.len() <= 63 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            };
            let name = key.rsplit_once('/').map_or(key.as_str(), |(_, name)| name);
            if name.is_empty() || !inner(name) || !inner(value) {
                at.field(key, |at| at.error(format!("`{key}: {value}` is no label")));
            }
        }
    });
}

fn header(key: &str, value: Option<&StringMatch>, without: bool, scope: &Scope<'_>, at: &mut At) -> Option<Condition> {
    at.field(key, |at| {
        let name = key.to_ascii_lowercase();
        if name.starts_with('@') {
            at.error(
                "claims of a verified token are Envoy metadata, which a Proxy-Wasm filter cannot read safely: \
                 let RequestAuthentication copy the claim to a header (`outputClaimToHeaders`) and match that",
            );
            return None;
        }
        if headers::is_control(name.as_bytes()) {
            at.error(format!("`{name}` is a control header: it is removed before anything is matched"));
            return None;
        }
        if !PSEUDO.contains(&name.as_str()) && !headers::is_token(&name) {
            at.error(format!("`{key}` is no header name"));
            return None;
        }
        // istio.md 1.4: presence is `{}`, `null`, or a regex that is no regex; the latter two only in withoutHeaders.
        let presence = StringMatch::default();
        let value = value.unwrap_or(&presence);
        let star = without && value.regex.as_deref() == Some("*");
        let text = TextMatch::compile(if star { &presence } else { value }, EmptyPrefix::Refused, at)?;
        // Envoy knows the host only as `:authority`.
        let name = if name == "host" { ":authority".into() } else { name };
        let field = field_of(if without { "withoutHeaders" } else { "headers" }, key);
        let tag = tag_of(&scope.tag_headers, &name);
        Some(Condition { field, ask: Ask::Header(HeaderMatch { name: name.into(), tag, without, text }) })
    })
}

fn source_ip(written: &[String], place: Place<'_>, at: &mut At) -> Option<Condition> {
    if place != Place::Tag {
        at.error("`sourceIp` is no field of a VirtualService: set a tag by it, and match the tag's header");
        return None;
    }
    let networks: Vec<Cidr> =
        written.iter().enumerate().filter_map(|(index, cidr)| at.index(index, |at| Cidr::compile(cidr, at))).collect();
    let all = networks.len() == written.len();
    all.then(|| Condition { field: "sourceIp".into(), ask: Ask::SourceIp(SourceIpMatch(networks.into())) })
}

fn peer(written: &[StringMatch], place: Place<'_>, at: &mut At) -> Option<Condition> {
    if place != Place::Tag {
        at.error("`peer` is no field of a VirtualService: set a tag by it, and match the tag's header");
        return None;
    }
    let before = at.count();
    let texts = written.iter().enumerate();
    let texts =
        texts.filter_map(|(index, text)| at.index(index, |at| TextMatch::compile(text, EmptyPrefix::Refused, at)));
    let peers = PeerMatch(texts.collect());
    (at.count() == before).then(|| Condition { field: "peer".into(), ask: Ask::Peer(peers) })
}

/// The field of a map's entry: `headers.user-type`.
pub fn field_of(map: &str, key: &str) -> Box<str> {
    let mut field = map.to_owned();
    push_field(&mut field, key);
    field.into()
}
