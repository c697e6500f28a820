//! `--target istio`: resources of Istio.

use super::{ManifestArgs, write};
use crate::cli::failure::Failure;
use crate::cli::manifests::tell_unread;
use crate::cli::{note, tell};
use clap::ValueEnum;
use std::path::Path;
use switchyard_envoy::istio::{self, Code, FailStrategy, Phase, Selection, Settings, Url, Via};

/// What only Istio's resources need to know.
#[derive(Debug, clap::Args)]
// Its group would have the same name as that of `generate`.
#[group(skip)]
#[command(next_help_heading = "With --target istio")]
pub struct Args {
    /// Where proxies get the filter from: `oci://REGISTRY/IMAGE:TAG`, `file:///PATH` or `http(s)://HOST/PATH`;
    /// of this command's release: an older filter refuses the document whole, and new proxies answer 500
    #[arg(long, value_name = "URL", value_parser = Url::parse, required_if_eq("target", "istio"))]
    url: Option<Url>,

    /// Who carries decisions out [default: cluster-header]
    #[arg(long, value_enum)]
    via: Option<ViaName>,

    /// For workloads with these labels [default: every workload of --namespace]
    #[arg(long, value_name = "NS/KEY=VALUE,…", value_parser = Selection::workload, group = "selection")]
    workload: Option<Selection>,

    /// For the proxies of an Istio Gateway, wherever they are
    #[arg(long, value_name = "NS/NAME", value_parser = Selection::gateway, group = "selection")]
    gateway: Option<Selection>,

    /// For a Gateway of the Gateway API; with `--via tags` also for a waypoint, or a Service or ServiceEntry behind one
    #[arg(long, value_name = "NS/KIND/NAME", value_parser = Selection::target, group = "selection")]
    target_ref: Option<Selection>,

    /// `metadata.name` of the resources [default: switchyard; of `--gateway`, whose resources lie in the root
    /// namespace with those of others, switchyard-NS.NAME]
    #[arg(long)]
    name: Option<String>,

    /// The digest of the image, or of the file behind `http(s)://`
    #[arg(long, value_name = "DIGEST")]
    sha256: Option<String>,

    /// The Secret that opens the registry
    #[arg(long, value_name = "SECRET")]
    pull_secret: Option<String>,

    /// What becomes of requests when the filter cannot run [default: `FAIL_OPEN` where Istio's own routes stand behind it
    /// and no client can choose a tag, else `FAIL_RELOAD`]
    #[arg(long, value_enum, ignore_case = true)]
    fail_strategy: Option<FailStrategyName>,

    /// Where the filter stands among Istio's own [default: behind them]
    #[arg(long, value_enum, ignore_case = true)]
    phase: Option<PhaseName>,

    /// Istio's root namespace [default: what --mesh-config says, or istio-system]
    #[arg(long, value_name = "NS")]
    root_namespace: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ViaName {
    /// The filter, by a route that is inserted before Istio's own
    ClusterHeader,
    /// Istio: the filter only sets tags
    Tags,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FailStrategyName {
    #[value(name = "FAIL_OPEN")]
    Open,
    #[value(name = "FAIL_RELOAD")]
    Reload,
    #[value(name = "FAIL_CLOSE")]
    Close,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PhaseName {
    #[value(name = "AUTHN")]
    Authn,
    #[value(name = "AUTHZ")]
    Authz,
    #[value(name = "STATS")]
    Stats,
}

impl Args {
    /// The first option that was given, for the other target.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            ("--url", self.url.is_some()),
            ("--via", self.via.is_some()),
            ("--workload", self.workload.is_some()),
            ("--gateway", self.gateway.is_some()),
            ("--target-ref", self.target_ref.is_some()),
            ("--name", self.name.is_some()),
            ("--sha256", self.sha256.is_some()),
            ("--pull-secret", self.pull_secret.is_some()),
            ("--fail-strategy", self.fail_strategy.is_some()),
            ("--phase", self.phase.is_some()),
            ("--root-namespace", self.root_namespace.is_some()),
        ];
        given.into_iter().find_map(|(name, is_given)| is_given.then_some(name))
    }

    /// Runs it.
    pub fn run(self, written: &ManifestArgs, out: &Path) -> Result<(), Failure> {
        let Some(url) = self.url else {
            return Err(Failure::Usage("`--target istio` needs `--url`".into()));
        };
        let selection = self.workload.or(self.gateway).or(self.target_ref).unwrap_or_default();
        let mut written = written.clone();
        // The namespace of what is selected is the proxy's; only that of a Gateway's own pods is not told by it (`home`).
        if let Selection::Workload { namespace, .. } | Selection::Target { namespace, .. } = &selection {
            if let Some(other) = written.namespace.as_ref().filter(|other| *other != namespace) {
                let message = format!("`--namespace {other}` and the selection in `{namespace}` are two namespaces");
                return Err(Failure::Usage(message));
            }
            written.namespace = Some(namespace.clone());
        }
        let options = written.options()?;
        // Also for what was generated before of a selection that is now another one.
        let replaces = (self.name.is_none() && matches!(selection, Selection::Workload { .. })).then(|| {
            "note: this takes the place of what was applied as `switchyard` for other workloads of the namespace: \
                      `--name` keeps both"
                .to_owned()
        });
        let name = self.name.unwrap_or_else(|| default_name(&selection));
        let settings = Settings {
            via: match self.via {
                None | Some(ViaName::ClusterHeader) => Via::ClusterHeader,
                Some(ViaName::Tags) => Via::Tags,
            },
            selection,
            name,
            root_namespace: self.root_namespace.unwrap_or_else(|| options.mesh.root_namespace.clone()),
            code: Code { url, sha256: self.sha256, pull_secret: self.pull_secret },
            fail_strategy: self.fail_strategy.map(|strategy| match strategy {
                FailStrategyName::Open => FailStrategy::Open,
                FailStrategyName::Reload => FailStrategy::Reload,
                FailStrategyName::Close => FailStrategy::Close,
            }),
            phase: self.phase.map(|phase| match phase {
                PhaseName::Authn => Phase::Authn,
                PhaseName::Authz => Phase::Authz,
                PhaseName::Stats => Phase::Stats,
            }),
        };
        let mut manifests = written.read()?;
        // What the mesh does by itself is not lost: nothing is refused for not being read.
        tell_unread(&manifests, &["Sidecar"]);
        manifests.namespace =
            istio::home(&manifests, written.namespace.as_deref(), &options, &settings).map_err(Failure::Invalid)?;
        let generated = istio::generate(&manifests, &options, &settings).map_err(Failure::Invalid)?;
        tell(&generated.warnings);
        for line in generated.notes.iter().chain(&replaces) {
            note(line);
        }
        write(out, [("istio.yaml".to_owned(), generated.text)])
    }
}

/// What the resources are called: in the root namespace everybody's meet, and one must not overwrite another's.
fn default_name(selection: &Selection) -> String {
    match selection {
        // No namespace has a dot: no two Gateways have one name.
        Selection::Gateway { namespace, name } => format!("switchyard-{namespace}.{name}"),
        _ => "switchyard".into(),
    }
}
