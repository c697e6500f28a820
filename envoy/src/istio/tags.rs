//! What keeps clients from choosing their tags, and Istio's own filters from being passed by.

use super::configured::Configured;
use super::selection::{Place, Target};
use super::{FailStrategy, Settings, Via};
use crate::diagnostic::Diagnostic;
use crate::translate::Listener;
use std::collections::BTreeSet;

/// The headers of tags that can be removed from every request at once, on every port.
pub fn stripped(configured: &[Configured]) -> BTreeSet<String> {
    let mut all = configured.iter().filter(|one| one.is_enforced()).map(|one| one.stripped.clone());
    let first = all.next().unwrap_or_default();
    all.fold(first, |all, next| all.intersection(&next).cloned().collect())
}

/// What becomes of requests when the filter cannot run.
///
/// # Errors
/// They would go on with a tag that the client chose.
pub fn fail_strategy(
    configured: &[Configured],
    stripped: &BTreeSet<String>,
    settings: &Settings,
) -> Result<FailStrategy, Vec<Diagnostic>> {
    let mut tags = configured.iter().filter(|one| one.is_enforced()).flat_map(|one| one.policy.tags());
    let open = tags.find(|tag| !tag.trust_client && !stripped.contains(&*tag.header));
    match (settings.via, settings.fail_strategy, open) {
        (Via::ClusterHeader, None, None) => Ok(FailStrategy::Open),
        (_, None, _) => Ok(FailStrategy::Reload),
        (Via::ClusterHeader, Some(FailStrategy::Open), Some(tag)) => {
            let message = format!(
                "with FAIL_OPEN a client could choose its `{}` wherever the filter does not run: it is set for some hosts \
                 only, so that it cannot be removed from every request before",
                tag.header
            );
            Err(vec![
                Diagnostic::unplaced(message).help("leave `--fail-strategy` out: FAIL_RELOAD is the default here"),
            ])
        }
        (_, Some(strategy), _) => Ok(strategy),
    }
}

/// Tags at a gateway that are set for some hosts only, where nothing strips them early: on other hosts a client's own value
/// passes, and whoever gets it may hand it on to sidecars that trust it.
pub fn passing_elsewhere(listener: &Listener<'_>) -> Vec<Diagnostic> {
    let tags = listener.document.tags.iter().enumerate();
    let some = tags.filter(|(_, tag)| !tag.trust_client && !tag.hosts.iter().any(|host| host == "*"));
    some.filter_map(|(index, tag)| {
        let (place, field) = listener.place(&format!("tags[{index}]"))?;
        let message =
            format!("on hosts that `{}` is not for, what a client says it is passes this gateway", tag.header);
        let help = "write `hosts: ['*']` in the tag: with `--via tags` nothing strips it before";
        Some(Diagnostic::warning(place, message).field(field).code("tag-by-client").help(help))
    })
    .collect()
}

/// Tags in the mesh whose hosts may be at any port, where a rule asks for the port, so that there is a plugin for each port
/// that services here have and none for others: there nothing would remove what a client says.
pub fn passing_at_other_ports(listener: &Listener<'_>) -> Vec<Diagnostic> {
    let tags = listener.document.tags.iter().enumerate();
    let open = tags.filter(|(_, tag)| !tag.trust_client && tag.hosts.iter().any(|host| host.starts_with('*')));
    let told = open.map(|(index, tag)| {
        let message = format!(
            "a rule asks for the port, so that there is a plugin for each port of these services and for no other: there what a \
             client says `{}` is would pass",
            tag.header
        );
        let help = "name the tag's `hosts` without `*`, or leave `port` out of the rules of all tags";
        error(listener, &format!("tags[{index}].hosts"), &message).help(help)
    });
    told.collect()
}

/// Blocks of tags that ask for the port, at a waypoint: requests for all ports come to one listener there.
pub fn asking_for_port(listener: &Listener<'_>) -> Vec<Diagnostic> {
    let rules = listener.document.tags.iter().enumerate().flat_map(|(tag, written)| {
        written.rules.iter().enumerate().map(move |(rule, written)| (format!("tags[{tag}].rules[{rule}]"), written))
    });
    let blocks = rules.flat_map(|(at, rule)| {
        let blocks = rule.matches.iter().enumerate().filter(|(_, block)| block.port.is_some());
        blocks.map(move |(index, _)| format!("{at}.match[{index}].port"))
    });
    let told = blocks.map(|field| {
        let message = "a waypoint has one listener for all ports: the filter does not know which one is asked for";
        let help = "leave `port` out, or tell services apart by `authority`";
        error(listener, &field, message).help(help)
    });
    told.collect()
}

/// At a field of the listener's document, where a manifest has it.
fn error(listener: &Listener<'_>, field: &str, message: &str) -> Diagnostic {
    match listener.place(field) {
        Some((place, field)) => Diagnostic::error(place, message).field(field),
        None => Diagnostic::unplaced(message),
    }
}

/// What is to be known of tags at a gateway whose pods serve other Gateways too: the plugin is for its own ports, and there is
/// no EnvoyFilter that would strip at all of them.
pub fn at_ports_of_others(configured: &[Configured], settings: &Settings, target: &Target) -> Option<String> {
    let is_open = configured.iter().flat_map(|one| one.policy.tags()).any(|tag| !tag.trust_client);
    (settings.via == Via::Tags && target.place == Place::Gateway && is_open).then(|| {
        "warning: at ports that other Gateways have on the same pods nothing removes what clients say of tags: generate for all \
         of them at once, with the pods' labels (`--workload`)"
            .to_owned()
    })
}

/// Another phase, together with what Istio's own filters must not miss.
pub fn phase(configured: &[Configured], settings: &Settings) -> Option<Diagnostic> {
    let phase = settings.phase?;
    let rule = configured
        .iter()
        .flat_map(|one| one.policy.rules())
        .find(|rule| rule.rewrite.is_some() || rule.answer.is_some() || rule.cors.is_some())?;
    let what = if rule.rewrite.is_some() { "rewrites the path" } else { "answers requests" };
    let message = format!(
        "the rule `{}/{}` {what}: in phase {} AuthorizationPolicies would not see what was asked for",
        rule.virtual_service,
        rule.name,
        phase.name()
    );
    Some(Diagnostic::unplaced(message).help("leave `--phase` out: the filter then runs behind all of Istio's own"))
}
