//! Recorded traffic through the same core: what each rule, tag and destination gets, and whether Envoy decided alike.
//!
//! Lines are read and decided in batches on all cores; they are counted in their order, so that equal input gives equal
//! output. What is kept is what is under way ([`join`]) and one entry for each sticky subject ([`share`]).

pub mod catalog;
pub mod human;
pub mod join;
pub mod line;
pub mod recorded;
pub mod report;
pub mod share;
pub mod source;
pub mod tally;
pub mod text;
pub mod verdict;
pub mod wilson;

use catalog::Catalog;
use indicatif::ProgressBar;
use join::{Join, Joined};
use line::Skip;
use rayon::prelude::*;
use recorded::Exchange;
use report::{InputReport, ReplayReport, UnreadableLine};
use source::Source;
use std::io::{self, Write};
use switchyard_filter::Policy;
use tally::{EXAMPLES, Tally};
use verdict::{Parity, Verdict, verdict};

/// Lines that are read before they are decided.
const BATCH: usize = 8192;

/// A policy and the name of its listener.
#[derive(Clone, Copy, Debug)]
pub struct Side<'p> {
    /// The listener's name, as the recording holds it.
    pub listener: &'p str,
    /// What it decides.
    pub policy: &'p Policy,
}

/// Why a replay ends without a report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be opened.
    #[error("cannot open `{0}`: {reason}", reason = reason(.1))]
    Open(String, io::Error),
    /// A file cannot be decoded, and nothing of it is usable.
    #[error("cannot read `{0}`: {reason}", reason = reason(.1))]
    Read(String, io::Error),
    /// A file has lines, but none is a request.
    #[error("`{file}` holds no request: line {} {}", .first.line, .first.reason)]
    NoRequest {
        /// The file.
        file: String,
        /// Its first line.
        first: UnreadableLine,
    },
    /// The decisions cannot be written.
    #[error("cannot write the decisions: {0}")]
    Write(io::Error),
}

/// Why a file cannot be read, in words.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a folder; name the files in it".to_owned(),
        io::ErrorKind::UnexpectedEof => "it is cut off".to_owned(),
        _ => error.to_string().to_lowercase(),
    }
}

/// Replays files, in order, as one recording. `warn` is told what else is worth a word.
///
/// # Errors
/// A file is of no use, or `decisions` cannot be written.
pub fn replay(
    sides: &[Side<'_>],
    files: &[String],
    mut decisions: Option<&mut (dyn Write + '_)>,
    progress: &ProgressBar,
    warn: &mut dyn FnMut(String),
) -> Result<ReplayReport, Error> {
    let catalog = Catalog::new(sides.iter().map(|side| side.policy));
    let mut tally = Tally::new(&catalog);
    let mut input = InputReport { files: files.to_vec(), ..InputReport::default() };
    let mut join = Join::default();
    let mut ready = Vec::new();
    for file in files {
        let mut source = Source::open(file, progress).map_err(|error| Error::Open(file.clone(), error))?;
        let mut of_file = OfFile::default();
        loop {
            let first = source.lines + 1;
            let mut lines = Vec::new();
            let end = source.read(BATCH, &mut lines);
            let count = lines.len();
            of_file.take(file, first, &lines, &mut input, &mut join, &mut ready);
            decide_all(sides, &catalog, &mut ready, &mut input, &mut tally, &mut decisions)?;
            match end {
                Err(error) if !of_file.is_usable => return Err(Error::Read(file.clone(), error)),
                Err(error) => {
                    let reason = reason(&error);
                    warn(format!("cannot read `{file}` after line {}: {reason}", source.lines));
                    input.truncated.push(UnreadableLine { file: file.clone(), line: source.lines, reason });
                    break;
                }
                Ok(()) if count == 0 => break,
                Ok(()) => {}
            }
        }
        input.lines += source.lines;
        if let (false, Some(first)) = (of_file.is_usable, of_file.first) {
            return Err(Error::NoRequest { file: file.clone(), first });
        }
    }
    join.finish(&mut ready);
    decide_all(sides, &catalog, &mut ready, &mut input, &mut tally, &mut decisions)?;
    progress.finish_and_clear();
    Ok(tally.report(input))
}

/// What one file gave.
#[derive(Default)]
struct OfFile {
    is_usable: bool,
    first: Option<UnreadableLine>,
}

impl OfFile {
    fn take(
        &mut self,
        file: &str,
        first: u64,
        lines: &[Vec<u8>],
        input: &mut InputReport,
        join: &mut Join,
        ready: &mut Vec<Joined>,
    ) {
        let read: Vec<_> =
            lines.par_iter().map(|line| (!line.trim_ascii().is_empty()).then(|| line::read(line))).collect();
        for (number, read) in (first..).zip(read) {
            match read {
                None => {}
                Some(Ok(line)) => {
                    self.is_usable = true;
                    if !join.push(line, ready) {
                        input.repeated += 1;
                    }
                }
                Some(Err(Skip::Event)) => self.is_usable = true,
                Some(Err(Skip::Refused)) => {
                    self.is_usable = true;
                    input.refused += 1;
                }
                Some(Err(Skip::Unreadable(reason))) => {
                    let line = UnreadableLine { file: file.to_owned(), line: number, reason };
                    input.unreadable += 1;
                    if input.examples.len() < EXAMPLES {
                        input.examples.push(line.clone());
                    }
                    self.first.get_or_insert(line);
                }
            }
        }
    }
}

fn decide_all(
    sides: &[Side<'_>],
    catalog: &Catalog,
    ready: &mut Vec<Joined>,
    input: &mut InputReport,
    tally: &mut Tally<'_>,
    decisions: &mut Option<&mut (dyn Write + '_)>,
) -> Result<(), Error> {
    let all = ready.len();
    ready.retain(|joined| joined.start.is_some() || joined.end.as_ref().is_none_or(|end| !end.is_untouched));
    input.refused += (all - ready.len()) as u64;
    input.requests += ready.len() as u64;
    input.unfinished += ready.iter().filter(|joined| joined.end.is_none()).count() as u64;
    let with_line = decisions.is_some();
    let verdicts: Vec<_> = std::mem::take(ready)
        .into_par_iter()
        .filter_map(Exchange::new)
        .map(|exchange| decide_one(sides, catalog, &exchange, with_line))
        .collect();
    for mut verdict in verdicts {
        if let (Some(decisions), Some(line)) = (decisions.as_mut(), verdict.line.take()) {
            writeln!(decisions, "{line}").map_err(Error::Write)?;
        }
        tally.add(verdict);
    }
    Ok(())
}

fn decide_one(sides: &[Side<'_>], catalog: &Catalog, exchange: &Exchange, with_line: bool) -> Verdict {
    let named = sides.iter().position(|side| exchange.listener.as_deref() == Some(side.listener));
    // Where there is one policy, the listener's name says nothing: it may have been another port's.
    let index = named.or((sides.len() == 1).then_some(0));
    match index.and_then(|index| sides.get(index).map(|side| (index, side))) {
        Some((index, side)) => verdict(catalog, index, side.listener, side.policy, exchange, with_line),
        None => Verdict {
            counted: Err(exchange.listener.as_ref().map_or_else(
                || "listener".to_owned(),
                |name| format!("listener `{name}`, which these manifests do not have"),
            )),
            action: "undecidable",
            parity: Parity::NotCompared,
            line: with_line.then(|| undecided_line(exchange)),
        },
    }
}

fn undecided_line(exchange: &Exchange) -> String {
    let decision = switchyard_filter::report::Report {
        action: switchyard_filter::report::ActionName::Undecidable,
        missing: Some("listener".to_owned()),
        ..Default::default()
    };
    let line = verdict::DecisionLine {
        id: exchange.id.as_deref(),
        listener: exchange.listener.as_deref().unwrap_or_default(),
        decision,
        recorded_cluster: exchange.upstream_cluster.as_deref(),
        parity: None,
    };
    serde_json::to_string(&line).unwrap_or_default()
}

#[cfg(test)]
mod tests;
