//! Tags.

use super::block::{self, Place};
use super::virtual_service::visibility;
use super::{Scope, name};
use crate::document::{self, Document};
use crate::error::At;
use crate::headers;
use crate::matcher::host::HostMatch;
use crate::split::{Split, Subject};
use crate::tag::{Tag, TagRule, TagSplit, tag_of};
use std::sync::Arc;

/// The longest value of a tag, in bytes.
const MAX_VALUE: usize = 1024;

/// Compiles all tags.
pub fn compile(document: &Document, scope: &Scope<'_>, at: &mut At) -> Box<[Tag]> {
    let default_hosts: Vec<String> = document
        .virtual_services
        .iter()
        // One that this proxy does not see does not exist for it.
        .filter(|service| visibility(service, scope).is_some())
        .flat_map(|service| {
            let namespace = if service.namespace.is_empty() { scope.namespace } else { &service.namespace };
            service.hosts.iter().map(|host| name::resolve(host, namespace, scope.domain))
        })
        .collect();
    let default_hosts = Arc::new(host_match(&default_hosts, scope));
    at.field("tags", |at| {
        let tags = document.tags.iter().enumerate();
        tags.filter_map(|(index, tag)| at.index(index, |at| one(index, tag, &default_hosts, scope, at))).collect()
    })
}

fn one(
    index: usize,
    written: &document::Tag,
    default_hosts: &Arc<HostMatch<()>>,
    scope: &Scope<'_>,
    at: &mut At,
) -> Option<Tag> {
    let before = at.count();
    let header = written.header.to_ascii_lowercase();
    at.field("header", |at| {
        if let Some(why) = headers::tag_name_error(&header) {
            at.error(format!("`{}`: {why}", written.header));
        } else if tag_of(&scope.tag_headers, &header).is_some_and(|first| first.index < index) {
            at.error(format!("`{}` is tagged twice (`-` and `_` are alike)", written.header));
        }
    });
    if written.rules.is_empty() && written.split.is_empty() {
        at.error("a tag needs `rules` or a `split`");
    }
    let hosts = hosts(written, default_hosts, scope, at);
    let mut rules = Vec::new();
    at.field("rules", |at| {
        for (index, rule) in written.rules.iter().enumerate() {
            at.index(index, |at| {
                at.field("value", |at| check_value(&rule.value, at));
                let blocks = block::compile_all(&rule.matches, Place::Tag, scope, at).unwrap_or_default();
                let blocks: Box<[_]> = blocks.into_iter().map(|(index, block)| (index.unwrap_or(0), block)).collect();
                if !blocks.is_empty() {
                    rules.push(TagRule { index, blocks, value: rule.value.as_str().into() });
                }
            });
        }
    });
    let split = split(index, written, &header, scope, at);
    let trust_client = written.trust_client;
    (at.count() == before).then(|| Tag { header: header.into(), hosts, trust_client, rules: rules.into(), split })
}

fn hosts(
    written: &document::Tag,
    default_hosts: &Arc<HostMatch<()>>,
    scope: &Scope<'_>,
    at: &mut At,
) -> Arc<HostMatch<()>> {
    at.field("hosts", |at| {
        for (index, host) in written.hosts.iter().enumerate() {
            at.index(index, |at| name::check_host(host, at));
        }
    });
    if written.hosts.is_empty() {
        return Arc::clone(default_hosts);
    }
    let named: Vec<String> =
        written.hosts.iter().map(|host| name::resolve(host, scope.namespace, scope.domain)).collect();
    Arc::new(host_match(&named, scope))
}

/// These hosts, in a mesh under their short names too.
fn host_match(named: &[String], scope: &Scope<'_>) -> HostMatch<()> {
    let mut all = Vec::new();
    let mut add = |host: &str| {
        all.push(host.to_owned());
        if scope.is_mesh {
            all.extend(name::aliases(host, scope.proxy_namespace));
            // Services are served under it (`bind`): a client must not get around a tag by it.
            if !host.starts_with('*') {
                all.push(format!("{host}."));
            }
        }
    };
    for host in named {
        add(host);
        // A wildcard covers known services under their short names too.
        if let Some(suffix) = host.strip_prefix('*') {
            scope.services.iter().filter(|(host, _)| host.ends_with(suffix)).for_each(|(host, _)| add(host));
        }
    }
    // In order each is entered behind the others, which is cheap.
    all.sort_unstable();
    let mut hosts = HostMatch::default();
    for host in &all {
        hosts.entry(host, || ());
    }
    hosts
}

fn split(index: usize, written: &document::Tag, header: &str, scope: &Scope<'_>, at: &mut At) -> Option<TagSplit> {
    let subject = at.field("stickyBy", |at| {
        if written.sticky_by.is_some() && written.split.is_empty() {
            at.error("`stickyBy` without a `split` has no effect");
        }
        let subject = Subject::compile(written.sticky_by.as_ref(), |name| tag_of(&scope.tag_headers, name), at)?;
        if let Subject::Header { name, tag: Some(tag), .. } = &subject
            && tag.index >= index
        {
            at.error(format!("`{name}` is a tag that has no value yet: tags are evaluated in order"));
        }
        Some(subject)
    });
    if written.split.is_empty() {
        return None;
    }
    let mut options: Vec<(&str, u32)> = Vec::new();
    at.field("split", |at| {
        for (index, share) in written.split.iter().enumerate() {
            at.index(index, |at| {
                at.field("value", |at| check_value(&share.value, at));
                match u32::try_from(share.weight) {
                    Ok(0) => {}
                    Ok(weight) => options.push((&share.value, weight)),
                    Err(_) => at.field("weight", |at| at.error(format!("`{}` is negative", share.weight))),
                }
            });
        }
        if options.is_empty() {
            at.error("the sum of all weights is 0: give one at least 1");
        }
    });
    let values = options.iter().map(|(value, _)| (*value).into()).collect();
    Some(TagSplit { split: Split::new(scope.seed, &format!("tag/{header}"), subject?, options), values })
}

/// A value that Envoy can carry: visible ASCII, spaces only inside.
fn check_value(value: &str, at: &mut At) {
    if value.is_empty() {
        at.error("a tag's value cannot be empty: leave the rule out, then the header is not set");
    } else if value.len() > MAX_VALUE {
        at.error(format!("the value has {} bytes, at most {MAX_VALUE} are allowed", value.len()));
    } else if value.trim() != value || !value.bytes().all(|b| (b' '..0x7f).contains(&b)) {
        at.error(format!(
            "`{}` is no header value: write visible ASCII without spaces around it",
            value.escape_debug()
        ));
    }
}
