//! The command line: what was typed. What it means is in the files below, one for each verb.
//!
//! stdout carries the result and nothing else; progress and diagnostics go to stderr.

mod check;
mod explain;
mod failure;
mod generate;
mod manifests;
mod replay;
mod schema;

use anstream::{AutoStream, ColorChoice};
use clap::{Parser, Subcommand, ValueEnum};
use failure::Failure;
use std::io::{self, Write};
use std::process::ExitCode;
use switchyard_envoy::diagnostic::{Diagnostic, human};

const EXIT_CODES: &str = "Exit codes:
  0  ok, with warnings too
  1  an expectation failed (`replay --expect-parity`, `check --applied`), or a running Envoy refuses a change
     (`generate --dynamic`)
  2  wrong usage
  3  an invalid policy: YAML that does not parse, unknown fields, missing hosts, …
  4  a file that cannot be opened or decoded

MANIFEST is a YAML file (several documents, or a `kind: List`), a folder of them, or `-` for stdin.
Colours obey NO_COLOR and CLICOLOR_FORCE.";

/// Traffic policy for Envoy and Istio: checked, generated, explained, and replayed on recorded traffic.
#[derive(Debug, Parser)]
#[command(name = "switchyard", version, after_help = EXIT_CODES, max_term_width = 110)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(check::Args),
    Generate(Box<generate::Args>),
    Explain(explain::Args),
    Replay(replay::Args),
    Schema(schema::Args),
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
}

/// Runs the command on the process's own arguments and streams.
pub fn main() -> ExitCode {
    // clap ends the process itself: 2 for wrong usage, 0 for help.
    let args = Args::parse();
    let done = match args.verb {
        Verb::Check(args) => args.run(),
        Verb::Generate(args) => args.run(),
        Verb::Explain(args) => args.run(),
        Verb::Replay(args) => args.run(),
        Verb::Schema(args) => args.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.code())
        }
    }
}

/// Writes a result to stdout; a reader that has seen enough (`| head`) ends the command quietly.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ClosedPipe),
        Err(error) => Err(Failure::File(format!("cannot write to stdout: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Writes a JSON result.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&(text + "\n")),
        Err(error) => Err(Failure::File(format!("cannot write JSON: {error}"))),
    }
}

/// Writes a word to stderr; nobody may be listening.
fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Writes diagnostics to stderr.
fn tell(diagnostics: &[Diagnostic]) {
    let colour = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    let text = human(diagnostics, colour);
    if !text.is_empty() {
        note(text.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::CommandFactory;

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Args::command().debug_assert();
    }
}
