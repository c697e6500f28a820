//! `switchyard replay`: recorded traffic through the same core.

use super::failure::Failure;
use super::manifests::ManifestArgs;
use super::{Format, note, print, print_json};
use crate::replay::{Error, Side, human, reason, replay, source};
use std::fs::File;
use std::io::{BufWriter, Write};

const EXAMPLES: &str = "Examples:
  switchyard replay manifests/ --traffic recording.json
  switchyard replay new-manifests/ --traffic day1.json.gz day2.json.gz --decisions decisions.jsonl
  zcat logs/*.gz | switchyard replay manifests/ --traffic - --expect-parity 100

A recording is made by `switchyard generate --record FILE`. Shares are over subjects where a choice is sticky (a user
counts once), else over requests; intervals are Wilson's, 95 %. A request whose decision hangs on something that the
recording does not hold is undecidable: it is counted by what is missing, with what to log.";

/// Replay recorded traffic: what each rule, tag and destination gets, and whether Envoy decided alike
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,

    /// Recordings, plain or gzip, or `-` for stdin; several are read in order as one
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    traffic: Vec<String>,

    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Write one JSON object for each request: its decision, as `explain --format json` has it
    #[arg(long, value_name = "FILE")]
    decisions: Option<String>,

    /// Fail with 1 when less than this percentage of the comparable requests re-derives exactly, or none is comparable
    #[arg(long, value_name = "PCT", value_parser = percentage)]
    expect_parity: Option<f64>,
}

impl Args {
    /// Runs it.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.format;
        self.result().map_err(|failure| failure.in_format(format))
    }

    fn result(self) -> Result<(), Failure> {
        let stdins = self.manifests.manifests.iter().chain(&self.traffic).filter(|name| *name == "-");
        if stdins.count() > 1 {
            return Err(Failure::Usage("`-` can be given once: stdin is one file".to_owned()));
        }
        let manifests = self.manifests.read()?;
        let model = self.manifests.model(&manifests, &self.manifests.options()?)?;
        let listeners = model.served().iter().map(|served| model.listener(served)).collect::<Result<Vec<_>, _>>();
        let listeners = listeners.map_err(Failure::Invalid)?;
        let sides: Vec<_> =
            listeners.iter().map(|listener| Side { listener: &listener.name, policy: &listener.policy }).collect();
        let file = |name: &String| match File::create(name) {
            Ok(file) => Ok(BufWriter::new(file)),
            Err(error) => Err(Failure::File(format!("cannot write `{name}`: {}", reason(&error)))),
        };
        let mut decisions = self.decisions.as_ref().map(file).transpose()?;
        let progress = source::progress(&self.traffic);
        let report = replay(
            &sides,
            &self.traffic,
            decisions.as_mut().map(|file| file as &mut dyn Write),
            &progress,
            &mut |warning| progress.suspend(|| note(&format!("warning: {warning}"))),
        );
        progress.finish_and_clear();
        let report = report.map_err(|error| Failure::File(error.to_string()))?;
        if let Some(file) = &mut decisions {
            file.flush().map_err(|error| Failure::File(Error::Write(error).to_string()))?;
        }
        match self.format {
            Format::Human => print(&human::human(&report))?,
            Format::Json => print_json(&report)?,
        }
        if !report.input.truncated.is_empty() {
            let files: Vec<_> = report.input.truncated.iter().map(|cut| format!("`{}`", cut.file)).collect();
            return Err(Failure::File(format!("the report is of a part only: {} ended early", files.join(", "))));
        }
        match (self.expect_parity, report.parity.percent) {
            (Some(expected), Some(percent)) if percent < expected => Err(Failure::Expectation(format!(
                "parity is {}, below the expected {expected} %",
                human::floor(percent)
            ))),
            (Some(_), None) => Err(Failure::Expectation(
                "parity is expected, but no decidable request has the cluster that Envoy chose".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

fn percentage(text: &str) -> Result<f64, String> {
    let percent: f64 =
        text.trim_end_matches('%').trim().parse().map_err(|_| "write a number from 0 to 100".to_owned())?;
    if (0.0..=100.0).contains(&percent) { Ok(percent) } else { Err("write a number from 0 to 100".to_owned()) }
}
