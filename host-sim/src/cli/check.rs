//! `switchyard check`: everything that is wrong, or worth a look, at its file, line and column.

use super::failure::Failure;
use super::manifests::{ManifestArgs, count, counted_json, plural, tell_counted, tell_unread};
use super::{note, print, print_json, tell};
use crate::check::{reach_json, reach_lines};
use clap::ValueEnum;
use serde_json::json;
use switchyard_envoy::analyse::Analysis;
use switchyard_envoy::diagnostic::{Diagnostic, Severity, sarif};
use switchyard_envoy::istio::drifted;
use switchyard_envoy::manifest::Manifests;
use switchyard_envoy::translate::Model;

const EXAMPLES: &str = "Examples:
  switchyard check manifests/
  switchyard check manifests/ --reach                # with a request that reaches each rule
  kubectl get svc,vs,dr,se,gw -A -o yaml | switchyard check - rollout.yaml --namespace workshop
  switchyard check manifests/ --format json | jq '.diagnostics[] | select(.code == \"unreachable-rule\")'
  switchyard check manifests/ --format sarif > check.sarif
  kubectl get wasmplugin,envoyfilter,virtualservice,destinationrule -A -o yaml | switchyard check --applied -

Exit codes: 0 where nothing is wrong (warnings are no errors), 1 for anything wrong with what is --applied, or where nothing
of ours is, 2 for wrong usage, 3 for an invalid policy, 4 for a file that cannot be opened or decoded, or holds nothing.

A rule that no request reaches is a warning, proven by comparing conditions as languages; where that takes too long, a note
says for how many match blocks it is not decided.";

/// What is of no use with `--applied`.
const NOT_LIVE: [&str; 7] = ["manifests", "reach", "namespace", "labels", "locality", "allow_missing", "ignore_kind"];

/// Check manifests: every error and warning, each with file, line, column and field
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,

    /// Tell for each rule a request that reaches it, or which rules before take all of its requests
    #[arg(long)]
    reach: bool,

    /// Check live resources instead: plugins of ours that do not compile, are not as generated or share a workload, and
    /// what they embed and has drifted since. FILE is what
    /// `kubectl get wasmplugin,envoyfilter,virtualservice,destinationrule -A -o yaml` prints, or `-`
    #[arg(long, value_name = "FILE", conflicts_with_all = NOT_LIVE)]
    applied: Option<String>,

    /// Istio's root namespace, whose plugins are for all [default: what --mesh-config says, or istio-system]
    #[arg(long, value_name = "NS", requires = "applied")]
    root_namespace: Option<String>,

    /// Diagnostics to stderr for people; or to stdout an object with `errors`, `warnings`, `undecided` and `diagnostics`,
    /// or a log in SARIF 2.1.0
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How the result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
    /// For code hosts and editors.
    Sarif,
}

impl Args {
    /// Runs it.
    pub fn run(self) -> Result<(), Failure> {
        if let Some(file) = &self.applied {
            return self.live(file);
        }
        let manifests = match (self.manifests.read(), self.format) {
            (Err(Failure::Invalid(found)), Format::Json | Format::Sarif) => return self.wrong(&found),
            (read, _) => read?,
        };
        tell_unread(&manifests, &[]);
        let options = match (self.manifests.options(), self.format) {
            (Err(Failure::Invalid(found)), Format::Json | Format::Sarif) => return self.wrong(&found),
            (options, _) => options?,
        };
        let model = match self.manifests.judge(&manifests, &options) {
            Ok(model) => model,
            Err(found) => return self.wrong(&found),
        };
        let analysis = Analysis::new(&model).map_err(Failure::Invalid)?;
        self.right(&manifests, &model, &analysis)
    }

    /// Checks what is in force.
    fn live(&self, file: &str) -> Result<(), Failure> {
        let arguments = ManifestArgs { manifests: vec![file.to_owned()], ..self.manifests.clone() };
        let read = arguments.read().and_then(|live| Ok((live, arguments.options()?.mesh)));
        let (live, mut mesh) = match (read, self.format) {
            (Err(Failure::Invalid(found)), Format::Json | Format::Sarif) => return self.wrong(&found),
            (read, _) => read?,
        };
        if let Some(root) = &self.root_namespace {
            mesh.root_namespace.clone_from(root);
        }
        let found = drifted(&live, &mesh);
        match self.format {
            Format::Json => print_json(&counted_json(&found))?,
            Format::Sarif => print_json(&sarif(&found, &[]))?,
            Format::Human => tell(&found),
        }
        let (errors, warnings) = (count(&found, Severity::Error), count(&found, Severity::Warning));
        if errors > 0 {
            return Err(Failure::Expectation(format!("{} wrong with what is applied", plural(errors, "thing"))));
        }
        if self.format == Format::Human {
            let and = if warnings == 0 { String::new() } else { format!(", {}", plural(warnings, "warning")) };
            print(&format!("ok: what is applied compiles, and is what was generated{and}\n"))?;
        }
        Ok(())
    }

    /// Tells what is wrong.
    fn wrong(&self, found: &[Diagnostic]) -> Result<(), Failure> {
        match self.format {
            Format::Json => print_json(&counted_json(found))?,
            Format::Sarif => print_json(&sarif(found, &[]))?,
            Format::Human => tell_counted(found),
        }
        Err(Failure::InvalidTold)
    }

    /// Tells what is worth a look.
    fn right(&self, manifests: &Manifests, model: &Model<'_>, analysis: &Analysis) -> Result<(), Failure> {
        let found = &analysis.warnings;
        let undecided = undecided(analysis);
        match self.format {
            Format::Json => {
                let mut result = counted_json(found);
                result["undecided"] = json!(analysis.undecided());
                if self.reach {
                    result["reach"] = reach_json(&analysis.reach);
                }
                print_json(&result)
            }
            Format::Sarif => print_json(&sarif(found, undecided.as_slice())),
            Format::Human => {
                tell(found);
                for line in undecided {
                    note(&format!("note: {line}"));
                }
                if self.reach {
                    print(&reach_lines(&analysis.reach))?;
                }
                let listeners = plural(model.listeners().len(), "listener");
                let files = plural(manifests.all.len(), "manifest");
                let warnings = count(found, Severity::Warning);
                let and = if warnings == 0 { String::new() } else { format!(", {}", plural(warnings, "warning")) };
                print(&format!("ok: {files} for {listeners}{and}\n"))
            }
        }
    }
}

/// What is said of match blocks that took too long.
fn undecided(analysis: &Analysis) -> Vec<String> {
    let count = analysis.undecided();
    if count == 0 {
        return Vec::new();
    }
    let of = plural(analysis.reach.len(), "match block");
    vec![format!("whether a request reaches it is not decided for {count} of {of}: it takes too long to tell")]
}
