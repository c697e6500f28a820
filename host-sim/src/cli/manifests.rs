//! The manifests that all verbs take.

use super::failure::Failure;
use super::{note, tell};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use switchyard_envoy::diagnostic::{Diagnostic, Severity, json};
use switchyard_envoy::manifest::{self, Manifests, ReadError};
use switchyard_envoy::translate::{Mesh, Model, Options};

/// MANIFEST... and how they are read.
#[derive(Clone, Debug, clap::Args)]
pub struct ManifestArgs {
    /// YAML files, folders of them, or `-` for stdin
    #[arg(value_name = "MANIFEST", required = true)]
    pub manifests: Vec<String>,

    /// The proxy's namespace [default: that of the manifests where they agree, else `default`]
    #[arg(long, value_name = "NS", value_parser = namespace)]
    pub namespace: Option<String>,

    /// The proxy's labels, which a Gateway's `selector`, `sourceLabels` and the `workloadSelector` of a DestinationRule
    /// ask for
    #[arg(long, value_name = "KEY=VALUE,…", value_delimiter = ',', value_parser = label)]
    pub labels: Vec<(String, String)>,

    /// Where the proxy is, for `localityLbSetting`
    #[arg(long, value_name = "REGION[/ZONE[/SUBZONE]]", value_parser = locality)]
    pub locality: Option<String>,

    /// Istio's `MeshConfig`, where the mesh's defaults are not Istio's: as it is, as the `ConfigMap` `istio`, or as
    /// an `IstioOperator`; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub mesh_config: Option<String>,

    /// Tell of missing hosts, subsets and gateways as warnings
    #[arg(long)]
    pub allow_missing: bool,

    /// Leave out manifests of this kind that would otherwise be refused since nothing here does their work
    #[arg(long, value_name = "KIND")]
    pub ignore_kind: Vec<String>,
}

impl ManifestArgs {
    /// Reads them.
    pub fn read(&self) -> Result<Manifests, Failure> {
        if self.manifests.iter().chain(&self.mesh_config).filter(|name| *name == "-").count() > 1 {
            return Err(Failure::Usage("`-` can be given once".to_owned()));
        }
        let read = manifest::read(&self.manifests, self.namespace.as_deref(), &mut io::stdin().lock());
        let manifests = read.map_err(|error| match error {
            ReadError::Open(_) => Failure::File(error.to_string()),
            ReadError::Invalid(found) => Failure::Invalid(found),
        })?;
        if manifests.all.is_empty() && manifests.unread.is_empty() {
            let names: Vec<_> = self.manifests.iter().map(|name| format!("`{name}`")).collect();
            let hold = if names.len() == 1 { "holds" } else { "hold" };
            return Err(Failure::File(format!("{} {hold} no manifest", names.join(", "))));
        }
        Ok(manifests)
    }

    /// How they are translated; notes what of the mesh's configuration is not read.
    pub fn options(&self) -> Result<Options, Failure> {
        Ok(Options {
            allow_missing: self.allow_missing,
            labels: self.labels.iter().cloned().collect(),
            locality: self.locality.clone().unwrap_or_default(),
            mesh: self.mesh_config.as_deref().map_or_else(|| Ok(Mesh::default()), mesh)?,
            ..Options::default()
        })
    }

    /// Resolves and compiles them; tells warnings, and what was not read.
    pub fn model<'m>(&self, manifests: &'m Manifests, options: &Options) -> Result<Model<'m>, Failure> {
        let model = self.judge(manifests, options).map_err(Failure::Invalid)?;
        tell_unread(manifests, &[]);
        tell(model.warnings());
        Ok(model)
    }

    /// Resolves and compiles them.
    ///
    /// # Errors
    /// Everything that is wrong, warnings too.
    pub fn judge<'m>(&self, manifests: &'m Manifests, options: &Options) -> Result<Model<'m>, Vec<Diagnostic>> {
        let ignored: BTreeSet<String> = self.ignore_kind.iter().cloned().collect();
        let mut refused = manifests.refused(&ignored);
        match Model::new(manifests, options) {
            Ok(model) if refused.is_empty() => Ok(model),
            Ok(model) => {
                refused.extend_from_slice(model.warnings());
                switchyard_envoy::diagnostic::sort(&mut refused);
                Err(refused)
            }
            Err(mut found) => {
                found.append(&mut refused);
                switchyard_envoy::diagnostic::sort(&mut found);
                Err(found)
            }
        }
    }
}

/// What `--mesh-config` says.
fn mesh(file: &str) -> Result<Mesh, Failure> {
    if Path::new(file).is_dir() {
        return Err(Failure::File(format!("cannot read `{file}`: it is a folder, and one file is expected")));
    }
    let opened = manifest::open(&[file.to_owned()], &mut io::stdin().lock());
    let opened = opened.map_err(|errors| Failure::File(ReadError::Open(errors).to_string()))?;
    let input = opened.into_iter().next().ok_or_else(|| Failure::File(format!("cannot open `{file}`")))?;
    let mesh = Mesh::read(input).map_err(Failure::Invalid)?;
    if !mesh.unread.is_empty() {
        let names: Vec<_> = mesh.unread.iter().map(|name| format!("`{name}`")).collect();
        note(&format!("note: of the mesh's configuration not read: {}", names.join(", ")));
    }
    Ok(mesh)
}

/// A namespace's name: a DNS label (RFC 1123), as Kubernetes takes it.
fn namespace(text: &str) -> Result<String, String> {
    if switchyard_filter::compile::is_label(text) {
        Ok(text.to_owned())
    } else {
        Err("write a namespace's name: 1 to 63 of `a-z`, `0-9` and `-`, with `-` neither first nor last".to_owned())
    }
}

/// A label: a name, and a value that may be empty.
fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write `key=value`".to_owned()),
    }
}

/// A place, from the region on.
fn locality(text: &str) -> Result<String, String> {
    let parts: Vec<_> = text.split('/').collect();
    if parts.len() > 3 || parts.iter().any(|part| part.is_empty() || part.contains('*')) {
        return Err("write `region`, `region/zone` or `region/zone/subzone`".to_owned());
    }
    Ok(text.to_owned())
}

/// Notes kinds that are not read, but for those that are `read` in another way.
pub fn tell_unread(manifests: &Manifests, read: &[&str]) {
    for ((version, kind), count) in manifests.unread_kinds() {
        if read.contains(&kind.as_str()) {
            continue;
        }
        note(&format!("note: {count} of kind `{kind}` ({version}) not read"));
    }
}

/// `1 error`, `2 warnings`: how many there are of a severity.
pub fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|found| found.severity == severity).count()
}

/// Tells what is wrong, and then how much that is.
pub fn tell_counted(found: &[Diagnostic]) {
    tell(found);
    let (errors, warnings) = (count(found, Severity::Error), count(found, Severity::Warning));
    note(&format!("\n{}, {}", plural(errors, "error"), plural(warnings, "warning")));
}

/// `{errors, warnings, diagnostics}`: what `check --format json` prints.
pub fn counted_json(found: &[Diagnostic]) -> serde_json::Value {
    let (errors, warnings) = (count(found, Severity::Error), count(found, Severity::Warning));
    serde_json::json!({"errors": errors, "warnings": warnings, "diagnostics": json(found)})
}

/// `1 rule`, `2 rules`.
pub fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
