//! `switchyard check`: everything that is wrong, or worth a look, at its file, line and column.

use super::failure::Failure;
use super::manifests::{ManifestArgs, count, counted_json, plural, tell_counted, tell_unread};
use super::{Format, print, print_json, tell};
use crate::lint::lint;
use switchyard_envoy::diagnostic::{Diagnostic, Severity, sort};

const EXAMPLES: &str = "Examples:
  switchyard check manifests/
  kubectl get vs,dr,se,gw -A -o yaml | switchyard check - rollout.yaml --namespace workshop
  switchyard check manifests/ --format json | jq '.diagnostics[].message'";

/// Check manifests: every error and warning, each with file, line, column and field
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,

    /// Diagnostics to stderr for people, or an object with `errors`, `warnings` and `diagnostics` to stdout
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    /// Runs it.
    pub fn run(self) -> Result<(), Failure> {
        let manifests = match (self.manifests.read(), self.format) {
            (Err(Failure::Invalid(found)), Format::Json) => return self.finish(&found, ""),
            (read, _) => read?,
        };
        tell_unread(&manifests);
        let options = self.manifests.options();
        match self.manifests.judge(&manifests, &options) {
            Ok(model) => {
                let proxies = model.listeners();
                let mut found = model.warnings().to_vec();
                for proxy in &proxies {
                    found.extend(lint(&model.listener(proxy).map_err(Failure::Invalid)?));
                }
                sort(&mut found);
                let listeners = plural(proxies.len(), "listener");
                let files = plural(manifests.all.len(), "manifest");
                self.finish(&found, &format!("{files} for {listeners}"))
            }
            Err(found) => self.finish(&found, ""),
        }
    }

    fn finish(&self, found: &[Diagnostic], what: &str) -> Result<(), Failure> {
        let (errors, warnings) = (count(found, Severity::Error), count(found, Severity::Warning));
        match self.format {
            Format::Json => print_json(&counted_json(found))?,
            Format::Human if errors > 0 => tell_counted(found),
            Format::Human => {
                tell(found);
                let and = if warnings == 0 { String::new() } else { format!(", {}", plural(warnings, "warning")) };
                print(&format!("ok: {what}{and}\n"))?;
            }
        }
        if errors == 0 { Ok(()) } else { Err(Failure::InvalidTold) }
    }
}
