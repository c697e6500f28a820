//! The table: what was asked for, what our side did, what the usual way did.

use super::findings::{Count, Findings};
use super::text::{ratio, thousands};

/// One line of the table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// What is counted, what is asked for, ours, the usual way.
    pub cells: [String; 4],
    /// Whether all but the last cell are the same in every run: what the README is checked for.
    pub repeats: bool,
}

/// The heading.
pub const HEADING: [&str; 4] = ["", "asked for", "Switchyard", "the usual way"];

/// The lines of the table.
pub fn rows(ours: &Findings, usual: &Findings) -> Vec<Row> {
    let of = |count: Count| format!("{} of {}", thousands(count.hits), thousands(count.of));
    let row = |what: &str, asked: &str, ours: String, usual: String| Row {
        cells: [what.into(), asked.into(), ours, usual],
        repeats: true,
    };
    let share = |what, asked, pick: fn(&Findings) -> super::findings::Share| {
        row(what, asked, pick(ours).text("users"), pick(usual).text("requests"))
    };
    let count = |what, asked, pick: fn(&Findings) -> Count| row(what, asked, of(pick(ours)), of(pick(usual)));
    let moved = |found: &Findings| of(Count { hits: found.moved.hits, of: found.moved.of });
    let [median, slow] = [0, 1].map(|index| {
        let micros = |found: &Findings| usize::try_from(found.times[index].as_micros()).unwrap_or(usize::MAX);
        format!("{:.2}", ratio(micros(ours), micros(usual)))
    });
    vec![
        share("tagged `internal`", "30 %", |found| found.tagged),
        share("the rest, to v2", "10 %", |found| found.canary),
        count("returning users who saw both versions", "0", |found| found.saw_both),
        count("newcomers who saw both versions", "0", |found| found.newcomers_saw_both),
        count("forged `user-type: internal` that reached the upstream", "0", |found| found.forged),
        count("`/v1/…` and `/v2/…` at their version, rewritten", "all", |found| found.pinned),
        row("90/10 becomes 50/50: users moved to v2", "28 %", moved(ours), moved(usual)),
        count("users moved back to v1", "0", |found| found.moved_back),
        share("the rest, to v2 from then on", "50 %", |found| found.canary_after),
        count("requests lost during the change", "0", |found| found.lost),
        Row {
            repeats: false,
            ..row("time per request, p50 and p99, as ratio", "", format!("{median} and {slow}"), "1 and 1".into())
        },
    ]
}

/// The table in Markdown, its columns aligned.
pub fn markdown(rows: &[Row]) -> String {
    let heading = HEADING.map(str::to_owned);
    let all: Vec<&[String; 4]> = std::iter::once(&heading).chain(rows.iter().map(|row| &row.cells)).collect();
    let widths: [usize; 4] =
        std::array::from_fn(|column| all.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0).max(3));
    let line = |cells: &[String; 4]| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("| {} |\n", padded.join(" | "))
    };
    let rule = widths.map(|width| "-".repeat(width));
    let mut text = line(&heading) + &line(&rule);
    text.extend(rows.iter().map(|row| line(&row.cells)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let row =
            |what: &str| Row { cells: [what.into(), "0".into(), "0 of 9".into(), "7 of 9".into()], repeats: true };
        assert_eq!(
            markdown(&[row("`/v1/…`"), row("lost")]),
            "\
|         | asked for | Switchyard | the usual way |
| ------- | --------- | ---------- | ------------- |
| `/v1/…` | 0         | 0 of 9     | 7 of 9        |
| lost    | 0         | 0 of 9     | 7 of 9        |
"
        );
    }
}
