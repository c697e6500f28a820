//! `switchyard generate`: configuration for what carries the policy out, from the manifests.

mod dynamic;
mod envoy;

use super::failure::Failure;
use super::manifests::ManifestArgs;
use super::print;
use crate::replay::reason;
use clap::ValueEnum;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:
  switchyard generate manifests/ --target envoy --out out && envoy -c out/envoy.yaml
  switchyard generate manifests/ --target envoy --out out --record /var/log/recording.json
  switchyard generate manifests/ --target envoy --out out --parts    # snippets
  switchyard generate manifests/ --target envoy --out live --dynamic    # and once more for each change, while Envoy runs

The mesh (VirtualServices without `gateways`, or with `mesh`) is served on --listen, gateways on their servers' ports at
the same address.";

/// Generate the configuration of an Envoy with the filter in it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,

    /// What to generate for
    #[arg(long, value_enum)]
    target: Target,

    /// The folder to write `envoy.yaml` to; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    #[command(flatten)]
    envoy: envoy::Args,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    /// A bootstrap for Envoy
    Envoy,
}

impl Args {
    /// Runs it.
    pub fn run(self) -> Result<(), Failure> {
        let Self { manifests, target, out, envoy } = self;
        match target {
            Target::Envoy => envoy.run(&manifests, &out),
        }
    }
}

/// Writes files into a folder, which is made where it is missing, and prints their names.
fn write(out: &Path, files: impl IntoIterator<Item = (String, String)>) -> Result<(), Failure> {
    fs::create_dir_all(out).map_err(|error| cannot_write(out, &error))?;
    for (name, text) in files {
        let path = out.join(name);
        fs::write(&path, text).map_err(|error| cannot_write(&path, &error))?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::File(format!("cannot write `{}`: {}", path.display(), reason(error)))
}
