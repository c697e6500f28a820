//! `switchyard generate`: configuration for what carries the policy out, from the manifests.

mod dynamic;
mod envoy;
mod istio;
mod ours;

use super::failure::Failure;
use super::manifests::ManifestArgs;
use super::print;
use crate::replay::reason;
use clap::ValueEnum;
use ours::{headed, may_overwrite, replace};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:
  switchyard generate manifests/ --target envoy --out out && envoy -c out/envoy.yaml
  switchyard generate manifests/ --target envoy --out out --record /var/log/recording.json
  switchyard generate manifests/ --target envoy --out out --parts    # snippets
  switchyard generate manifests/ --target envoy --out live --dynamic    # and again at each change
  kubectl get configmap istio -n istio-system -o yaml |
    switchyard generate manifests/ --target envoy --out out --mesh-config -    # the mesh's defaults
  switchyard generate manifests/ --target istio --out out --url oci://ghcr.io/me/switchyard:1 --gateway shop/edge
  switchyard generate manifests/ --target istio --out out --url oci://ghcr.io/me/switchyard:1 --workload shop/app=front \
    --via tags    # the filter sets tags, and Istio does the rest

The mesh (VirtualServices without `gateways`, or with `mesh`) is served on --listen, gateways on their servers' ports at
the same address.

With --target istio, VirtualServices annotated `switchyard.dev/embed: \"false\"` or owned by a Flagger Canary stay Istio's.

  proxies                  --via cluster-header                --via tags
  sidecar (outbound)       everything                          tags
  Istio Gateway            everything                          tags
  Gateway API gateway      everything, of VirtualServices      tags
                           that name it in `gateways`
  waypoint                 nothing: EnvoyFilters do nothing    tags";

/// Generate the configuration of an Envoy with the filter in it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,

    /// What to generate for
    #[arg(long, value_enum)]
    target: Target,

    /// The folder to write `envoy.yaml` or `istio.yaml` to; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    #[command(flatten)]
    envoy: envoy::Args,

    #[command(flatten)]
    istio: istio::Args,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    /// A bootstrap for Envoy
    Envoy,
    /// Resources for Istio, to apply beside the manifests
    Istio,
}

impl Args {
    /// Runs it.
    pub fn run(self) -> Result<(), Failure> {
        let Self { manifests, target, out, envoy, istio } = self;
        match (target, istio.given()) {
            (Target::Envoy, Some(option)) => Err(Failure::Usage(format!("`{option}` is for `--target istio`"))),
            (Target::Envoy, None) => envoy.run(&manifests, &out),
            (Target::Istio, _) => istio.run(&manifests, &out),
        }
    }
}

/// Writes files into a folder, which is made where it is missing, and prints their names.
///
/// # Errors
/// A file is there that is none of ours: nothing is written; files that cannot be written.
fn write(out: &Path, files: impl IntoIterator<Item = (String, String)>) -> Result<(), Failure> {
    let files: Vec<_> = files.into_iter().map(|(name, text)| (out.join(name), headed(text))).collect();
    files.iter().try_for_each(|(path, _)| may_overwrite(path))?;
    fs::create_dir_all(out).map_err(|error| cannot_write(out, &error))?;
    for (path, text) in files {
        replace(&path, &text)?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::File(format!("cannot write `{}`: {}", path.display(), reason(error)))
}
