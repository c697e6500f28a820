//! Istio's own resources around the filter: WasmPlugins, and an EnvoyFilter for what a plugin cannot do.
//!
//! Two forms: the filter decides everything and names the cluster in a header, which a route takes that is inserted before
//! Istio's own ([`Via::ClusterHeader`]); or it only sets tags, on which the user's VirtualServices match ([`Via::Tags`]).
//! Nothing is written that the filter's own compiler refuses, since a proxy that starts with such a configuration answers
//! 500 (istio.md 5.0).

mod applied;
mod code;
mod configured;
mod embedded;
mod envoy_filter;
mod home;
mod imported;
mod joined;
mod listening;
mod mesh;
mod narrowed;
mod owned;
mod plugin;
mod ports;
mod redirecting;
mod routes;
mod seal;
mod selection;
mod server;
mod shared;
mod sidecars;
mod size;
mod tags;
mod taken;
mod wildcards;
mod workload;

pub use applied::drifted;
pub use code::{Code, Url};
pub use home::home;
pub use selection::{Selection, TargetKind};

use crate::diagnostic::{Diagnostic, sort};
use crate::manifest::Manifests;
use crate::translate::{Around, Options};
use configured::Configured;
use std::fmt::Write as _;
use switchyard_filter::compile::is_label;

/// Istio's versions whose proxies the EnvoyFilter is for: those that it was tested in (istio.md 5.0).
pub const TESTED: &str = "1.29";

/// Istio's root namespace, unless it is told otherwise: what lies there is for every namespace.
pub const ROOT_NAMESPACE: &str = "istio-system";

/// Who carries decisions out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// The filter, by a header that names the cluster: VirtualServices are embedded in its configuration.
    #[default]
    ClusterHeader,
    /// Istio: the filter only sets tags.
    Tags,
}

/// What becomes of requests when the filter cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailStrategy {
    /// They go on without it.
    Open,
    /// They are answered with 503, until the filter is loaded again: at most once a second (envoy.md 5.3).
    Reload,
    /// They are answered with 503 from then on.
    Close,
}

impl FailStrategy {
    /// As Istio writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "FAIL_OPEN",
            Self::Reload => "FAIL_RELOAD",
            Self::Close => "FAIL_CLOSE",
        }
    }
}

/// A place in Istio's chain of filters other than that behind all of Istio's own (istio.md 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before tokens are checked.
    Authn,
    /// Before what every AuthorizationPolicy denies.
    Authz,
    /// Before statistics.
    Stats,
}

impl Phase {
    /// As Istio writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authn => "AUTHN",
            Self::Authz => "AUTHZ",
            Self::Stats => "STATS",
        }
    }
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// In which form.
    pub via: Via,
    /// For which proxies.
    pub selection: Selection,
    /// `metadata.name`; of several WasmPlugins each has its first port behind it.
    pub name: String,
    /// Istio's root namespace.
    pub root_namespace: String,
    /// The filter.
    pub code: Code,
    /// Default: `Open` where Istio's own routes stand behind the filter and no client can choose a tag, else `Reload`.
    pub fail_strategy: Option<FailStrategy>,
    /// Default: behind all of Istio's own filters.
    pub phase: Option<Phase>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The resources, as YAML of several documents behind a comment that says what they are.
    pub text: String,
    /// What to look at in the manifests, though nothing is wrong.
    pub warnings: Vec<Diagnostic>,
    /// What to know before it is applied.
    pub notes: Vec<String>,
}

/// The resources to apply beside the manifests.
///
/// # Errors
/// What [`Model::new`](crate::translate::Model::new) says; a selection that selects nothing, or nothing that the form can
/// be for; settings that contradict each other or open a door; a configuration above 1 MiB.
pub fn generate(manifests: &Manifests, options: &Options, settings: &Settings) -> Result<Generated, Vec<Diagnostic>> {
    let mut wrong = check(settings);
    let target = selection::resolve(manifests, settings).map_err(|found| {
        wrong.extend(found);
        std::mem::take(&mut wrong)
    })?;
    let workloads = workload::all(manifests);
    let served = taken::Served::new(manifests, &target, &workloads);
    let taken::Served { servers, listening } = &served;
    let mut notes = notes(settings, &target);
    notes.extend(sidecars::doubt(manifests, &settings.selection, &target, &workloads).map_err(|mut found| {
        found.append(&mut wrong);
        found
    })?);
    let mut options = Options { around: Around::Mesh, ..options.clone() };
    options.labels.extend(target.labels.clone());
    let (mut configured, mut warnings) = configured::all(manifests, &options, settings, &target, (servers, listening))
        .map_err(|mut found| {
            found.append(&mut wrong);
            sort(&mut found);
            found
        })?;
    let stripped = tags::stripped(&configured);
    wrong.extend(tags::phase(&configured, settings));
    let strategy = match tags::fail_strategy(&configured, &stripped, settings) {
        Ok(strategy) => strategy,
        Err(found) => {
            wrong.extend(found);
            FailStrategy::Reload
        }
    };
    let (refused, told) = shared::elsewhere(&configured, servers, &target, listening);
    wrong.extend(refused);
    wrong.extend(taken::refused(&served, manifests, &configured, &target, settings.via));
    warnings.extend(told);
    warnings.extend(shared::beside(&configured, servers, &target, listening));
    warnings.extend(wildcards::taking(manifests, &configured, settings.via));
    warnings.extend(wildcards::over_routes(manifests, &configured, &options, &target, settings.via));
    warnings.extend(narrowed::told(manifests, &configured, &target));
    let settled = ports::settle(&mut configured, &target, servers, listening).unwrap_or_else(|found| {
        wrong.extend(found);
        ports::Settled::default()
    });
    notes.extend(settled.note.clone());
    warnings.extend(settled.warnings.clone());
    notes.extend(redirecting::note(&configured, servers, &target, &settled, settings.via));
    notes.extend(tags::at_ports_of_others(&configured, settings, &target));
    let names = plugin::names(settings, &configured);
    let mut resources = vec![];
    if settings.via == Via::ClusterHeader {
        let routes = routes::Routes::new(&configured, &names, &target, servers, &settled);
        let makes_ids = target.is_gateway() && configured.iter().any(Configured::is_enforced);
        resources.push(envoy_filter::envoy_filter(settings, &target, &stripped, &routes, makes_ids));
    }
    for (one, name) in configured.iter().zip(&names) {
        let plugin = plugin::plugin(one, name, settings, &target, strategy);
        let plugin = seal::sealed(plugin, resources.first().filter(|first| first["kind"] == "EnvoyFilter"));
        match size::check(&plugin, name) {
            Ok(note) => notes.push(note),
            Err(found) => wrong.extend(found),
        }
        resources.push(plugin);
    }
    if !wrong.is_empty() {
        sort(&mut wrong);
        return Err(wrong);
    }
    let mut text = header(settings, &target, strategy);
    for resource in resources {
        let _ = write!(text, "---\n{}", crate::bootstrap::to_yaml(&resource));
    }
    Ok(Generated { text, warnings, notes })
}

/// What is wrong with the settings themselves.
fn check(settings: &Settings) -> Vec<Diagnostic> {
    let mut found = vec![];
    if settings.name.len() > 200 || !settings.name.split('.').all(is_label) {
        let message = format!("`{}` is no name of a Kubernetes object", settings.name.escape_debug());
        found.push(Diagnostic::unplaced(message).help("write lower-case letters, digits and `-`: `--name switchyard`"));
    }
    if !is_label(&settings.root_namespace) {
        let message = format!("`{}` is no namespace", settings.root_namespace.escape_debug());
        found.push(Diagnostic::unplaced(message).help("name Istio's: `--root-namespace istio-system`"));
    }
    found.extend(settings.code.check());
    if settings.via == Via::Tags && settings.fail_strategy == Some(FailStrategy::Open) {
        let message =
            "`--via tags` with FAIL_OPEN would let clients choose their tags wherever the filter does not run";
        found.push(Diagnostic::unplaced(message).help("leave `--fail-strategy` out: FAIL_RELOAD is the default"));
    }
    found
}

/// What to know before it is applied.
fn notes(settings: &Settings, target: &selection::Target) -> Vec<String> {
    let mut notes = vec![
        "warning: an Envoy up to 1.37.0 (Istio up to 1.29) ends with a segmentation fault when the first WasmPlugin ever \
         reaches it while it runs: select labels that only new pods have, and roll those"
            .to_owned(),
    ];
    if settings.via == Via::ClusterHeader {
        notes.push(format!(
            "warning: the EnvoyFilter is for proxies of Istio {TESTED}: let no selected workload run another version"
        ));
    }
    if target.selector == selection::Selector::Namespace {
        notes.push(format!(
            "warning: every workload of namespace `{}` is selected, gateways that run there too: name some with \
             `--workload {}/KEY=VALUE`",
            target.namespace, target.namespace
        ));
    }
    notes.extend(settings.code.warning());
    notes
}

/// What the file is, for who finds it.
fn header(settings: &Settings, target: &selection::Target, strategy: FailStrategy) -> String {
    let form = match settings.via {
        Via::ClusterHeader => {
            "# The filter decides; the EnvoyFilter inserts a route for what it decided before Istio's own, strips control\n\
             # headers, and lets Istio's fault filter take faults by header. VirtualServices are embedded: generate and apply\n\
             # again when one changes (`switchyard check --applied` tells).\n\
             # To delete it, first apply it generated with `mode: observe`, or delete WasmPlugins a minute before EnvoyFilters: in\n\
             # the other order, requests whose path the filter rewrites find no route (404).\n"
        }
        Via::Tags => "# The filter only sets tags; your VirtualServices or HTTPRoutes match on them and do the rest.\n",
    };
    format!(
        "# Written by `switchyard generate --target istio`: do not edit, generate again.\n\
         # To be applied beside the manifests that it was made of (kubectl apply -f istio.yaml; once with `--server-side`, always\n\
         # with it, or what has gone from the file stays in force), for\n\
         # {target}.\n\
         {form}\
         # When the filter cannot run: {}. Envoy up to 1.37.0 (Istio up to 1.29) ends when the first WasmPlugin reaches it\n\
         # while it runs: roll new pods there. Pods want the annotation\n\
         # `sidecar.istio.io/statsInclusionPrefixes: extension_config_discovery`, or nothing counts a refused configuration.\n",
        strategy.name()
    )
}
