//! Whether a README shows the table that the demo prints.

use super::table::{HEADING, Row};

/// What stands before and after the table in the README.
pub const MARKERS: [&str; 2] = ["<!-- demo -->", "<!-- /demo -->"];

/// Where the table of this README is not the one of these rows: in what is counted and, in the rows that repeat, what is
/// asked for and what our side did. The usual way's numbers are random, and times are those of a machine. Errors: no
/// markers.
pub fn differences(readme: &str, rows: &[Row]) -> Result<Vec<String>, String> {
    let shown = shown(readme)?;
    let mut differences = Vec::new();
    for (row, number) in rows.iter().zip(0..) {
        let compared = if row.repeats { 3 } else { 1 };
        let expected = &row.cells[..compared];
        match shown.get::<usize>(number) {
            Some(cells) if cells.get(..compared) == Some(expected) => {}
            Some(cells) => differences.push(format!("it shows `{}` for `{}`", cells.join(" | "), expected.join(" | "))),
            None => differences.push(format!("it lacks `{}`", expected.join(" | "))),
        }
    }
    differences.extend(shown.iter().skip(rows.len()).map(|cells| format!("it has `{}` too much", cells.join(" | "))));
    Ok(differences)
}

/// The cells of the table between the markers, without heading and rule.
fn shown(readme: &str) -> Result<Vec<Vec<String>>, String> {
    let [begin, end] = MARKERS;
    let (_, rest) = readme.split_once(begin).ok_or_else(|| format!("it has no `{begin}`"))?;
    let (table, _) = rest.split_once(end).ok_or_else(|| format!("it has no `{end}` after `{begin}`"))?;
    let lines = table.lines().filter_map(|line| line.trim().strip_prefix('|')?.strip_suffix('|'));
    let cells = lines.map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    Ok(cells
        .filter(|cells| cells[..] != HEADING && !cells.iter().all(|cell| cell.trim_matches('-').is_empty()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::super::table::markdown;
    use super::*;

    fn rows(ours: &str) -> Vec<Row> {
        let row = |cells: [&str; 4], repeats| Row { cells: cells.map(str::to_owned), repeats };
        vec![row(["forged", "0", ours, "9 of 9"], true), row(["time", "", ours, "1"], false)]
    }

    fn readme(rows: &[Row]) -> String {
        format!("# x\n\n{}\n{}{}\n| no | table |\n", MARKERS[0], markdown(rows), MARKERS[1])
    }

    #[test]
    fn what_repeats_is_compared() {
        let shown = readme(&rows("0 of 9"));
        assert_eq!(differences(&shown, &rows("0 of 9")), Ok(vec![]));
        let mut others = rows("0 of 9");
        others[0].cells[3] = "8 of 9".into();
        others[1].cells[2] = "2".into();
        assert_eq!(differences(&shown, &others), Ok(vec![]));
        let told = differences(&shown, &rows("1 of 9")).unwrap();
        assert_eq!(told, ["it shows `forged | 0 | 0 of 9 | 9 of 9` for `forged | 0 | 1 of 9`"]);
        assert_eq!(differences(&shown, &rows("0 of 9")[..1]).unwrap(), ["it has `time |  | 0 of 9 | 1` too much"]);
        let short = readme(&rows("0 of 9")[..1]);
        assert_eq!(differences(&short, &rows("0 of 9")).unwrap(), ["it lacks `time`"]);
    }

    #[test]
    fn markers_are_needed() {
        assert_eq!(differences("x", &[]).unwrap_err(), "it has no `<!-- demo -->`");
        assert!(differences("<!-- demo -->", &[]).unwrap_err().starts_with("it has no `<!-- /demo -->` after"));
    }
}
