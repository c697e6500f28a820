//! A replay's report as text.

use super::report::ReplayReport;
use super::share::{Over, Share};
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write as _;

/// The report for people; ends with a line feed.
pub fn human(report: &ReplayReport) -> String {
    let mut out = String::new();
    let input = &report.input;
    let _ = writeln!(out, "{} in {} lines of {}", requests(input.requests), input.lines, input.files.join(", "));
    for (count, what) in [
        (input.unfinished, "still under way when the recording ended"),
        (input.refused, "refused by Envoy before any filter saw them, not counted"),
        (input.repeated, "lines that came before, byte for byte, not counted again"),
        (input.unreadable, "lines that are no request, not counted"),
    ] {
        if count > 0 {
            let _ = writeln!(out, "  {count} {what}");
        }
    }
    for line in &input.examples {
        let _ = writeln!(out, "    {}:{} {}", line.file, line.line, line.reason);
    }
    for file in &input.truncated {
        let _ = writeln!(out, "  {} is read up to line {} only: {}", file.file, file.line, file.reason);
    }
    let done: Vec<_> = report.actions.iter().filter(|(_, n)| **n > 0).map(|(name, n)| format!("{name} {n}")).collect();
    let _ = writeln!(out, "  {}", if done.is_empty() { "nothing to decide".to_owned() } else { done.join(", ") });
    undecidable(report, &mut out);
    if report.rules.iter().any(|row| row.share.requests > 0) {
        sections(report, &mut out);
    }
    parity(report, &mut out);
    out
}

fn sections(report: &ReplayReport, out: &mut String) {
    let tags = report
        .tags
        .iter()
        .map(|row| (vec![row.header.clone(), row.value.clone().unwrap_or_else(|| "(none)".into())], &row.share));
    section("Tags", &["header", "value"], tags, out);
    let rules = report.rules.iter().map(|row| {
        let name = match (&row.virtual_service, row.rule.as_str()) {
            (Some(virtual_service), rule) => format!("{virtual_service}/{rule}"),
            (None, "noRule") => "(404: no rule of the host matches)".into(),
            (None, "noVirtualHost") => "(404: no virtual host)".into(),
            (None, _) => "(left to Envoy's own routes)".into(),
        };
        (vec![name], &row.share)
    });
    section("Rules", &["rule"], rules, out);
    let destinations = report
        .destinations
        .iter()
        .map(|row| (vec![format!("{}/{}", row.virtual_service, row.rule), row.cluster.clone()], &row.share));
    section("Destinations, by rule", &["rule", "cluster"], destinations, out);
    section("Clusters", &["cluster"], report.clusters.iter().map(|row| (vec![row.cluster.clone()], &row.share)), out);
    let chances = report.chances.iter().map(|row| (vec![row.name.clone(), row.what.clone()], &row.share));
    section("Chances, of the requests of their rule", &["chance", "what happens"], chances, out);
    for row in report.chances.iter().filter(|row| row.unknown > 0) {
        let _ = writeln!(out, "   {}: the recording does not hold the draw of {}", row.name, requests(row.unknown));
    }
    let _ = writeln!(
        out,
        "\nexpected: the mean over all draws for these requests; interval: 95 % (Wilson), over subjects where a\n\
         choice is sticky (a user counts once), else over requests"
    );
}

fn undecidable(report: &ReplayReport, out: &mut String) {
    if report.undecidable.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nUndecidable: the recording does not hold");
    for row in &report.undecidable {
        let _ = writeln!(out, "  {}: {}; {}", row.missing, requests(row.requests), row.log);
    }
}

fn section<'r>(title: &str, names: &[&str], rows: impl Iterator<Item = (Vec<String>, &'r Share)>, out: &mut String) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let header = names.iter().chain(&["requests", "over", "expected", "actual", "95 % interval"]);
    table.set_header(header.copied());
    for column in table.column_iter_mut().skip(names.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut any = false;
    for (mut cells, share) in rows {
        any = true;
        let over = match share.over {
            Over::Requests => "requests",
            Over::Subjects => "subjects",
        };
        let interval = share.low.zip(share.high);
        cells.extend([
            share.requests.to_string(),
            format!("{} {over}", share.n),
            percent(share.expected),
            percent(share.actual),
            interval.map_or_else(|| "-".into(), |(low, high)| format!("{:.2} to {:.2} %", low * 100.0, high * 100.0)),
        ]);
        table.add_row(cells);
    }
    if any {
        let _ = writeln!(out, "\n{title}");
        for line in table.to_string().lines() {
            let _ = writeln!(out, " {}", line.trim_end());
        }
    }
}

fn requests(count: u64) -> String {
    format!("{count} request{}", if count == 1 { "" } else { "s" })
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| format!("{:.2} %", share * 100.0))
}

fn parity(report: &ReplayReport, out: &mut String) {
    let parity = &report.parity;
    let Some(percent) = parity.percent else {
        let _ = writeln!(out, "\nParity: nothing to compare: no decidable request with the cluster that Envoy chose");
        return;
    };
    let _ = writeln!(out, "\nParity: {} of {} re-derive exactly: {}", parity.equal, parity.compared, floor(percent));
    for kind in &parity.kinds {
        let _ = writeln!(
            out,
            "  {}: expected {} ({}), recorded {}",
            requests(kind.requests),
            kind.expected.as_deref().unwrap_or("no cluster"),
            kind.rule.as_deref().unwrap_or("no rule"),
            kind.recorded
        );
    }
    for example in &parity.examples {
        let _ = writeln!(out, "    {} {}", example.id.as_deref().unwrap_or("-"), example.request);
    }
}

/// Two digits, never rounded up: 100.00 % is all of them.
pub fn floor(percent: f64) -> String {
    format!("{:.2} %", (percent * 100.0).floor() / 100.0)
}
