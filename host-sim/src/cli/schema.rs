//! `switchyard schema`: the JSON Schemas of what people write and of what the command prints.

use super::failure::Failure;
use super::print_json;
use crate::explain::Explanation;
use crate::replay::report::ReplayReport;
use clap::ValueEnum;
use schemars::{JsonSchema, generate::SchemaSettings};
use switchyard_envoy::manifest::SwitchyardPolicy;
use switchyard_filter::document::Document;
use switchyard_filter::report::Report;

const EXAMPLES: &str = "Examples:
  switchyard schema policy > switchyard-policy.schema.json    # for an editor's YAML support
  switchyard schema config > plugin-config.schema.json        # for a hand-written pluginConfig
  switchyard schema decision                                  # what `explain --format json` prints at least";

/// Print the JSON Schema of what is written or printed
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to describe
    #[arg(value_enum)]
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// A SwitchyardPolicy manifest
    Policy,
    /// The filter's configuration: a WasmPlugin's `pluginConfig`, or `configuration` in Envoy
    Config,
    /// A decision: what `explain --format json` and each line of `replay --decisions` have in common
    Decision,
    /// All of what `explain --format json` prints
    Explanation,
    /// What `replay --format json` prints
    Replay,
}

/// A SwitchyardPolicy manifest: what Istio's own kinds have no field for.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used; the manifest is read with places")]
struct PolicyManifest {
    /// `switchyard.dev/v1alpha1`.
    #[schemars(extend("const" = "switchyard.dev/v1alpha1"))]
    api_version: String,
    /// `SwitchyardPolicy`.
    #[schemars(extend("const" = "SwitchyardPolicy"))]
    kind: String,
    /// Name, namespace and what else Kubernetes has there.
    metadata: Metadata,
    /// The policy.
    spec: SwitchyardPolicy,
}

/// Whose policy it is.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Metadata {
    /// Its name: several policies are merged in order of namespace and name.
    name: String,
    /// Short names resolve here. Default: `--namespace`.
    namespace: Option<String>,
}

impl Args {
    /// Runs it.
    pub fn run(self) -> Result<(), Failure> {
        let schemas = SchemaSettings::draft2020_12();
        let (written, printed) = (schemas.clone().for_deserialize(), schemas.for_serialize());
        print_json(&match self.what {
            What::Policy => written.into_generator().into_root_schema_for::<PolicyManifest>(),
            What::Config => written.into_generator().into_root_schema_for::<Document>(),
            What::Decision => printed.into_generator().into_root_schema_for::<Report>(),
            What::Explanation => printed.into_generator().into_root_schema_for::<Explanation>(),
            What::Replay => printed.into_generator().into_root_schema_for::<ReplayReport>(),
        })
    }
}
