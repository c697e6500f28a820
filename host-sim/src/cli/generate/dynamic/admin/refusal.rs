//! Why Envoy refused a file, from its log.

use switchyard_envoy::bootstrap::dynamic::Kind;

/// What stands before the reason.
const REFUSED: &str = "config update rejected: ";
/// What stands before a plugin's own words.
const PLUGIN: &str = "wasm log ";
/// Levels of a complaint: at the others a plugin tells of configurations that it took.
const COMPLAINTS: [&str; 3] = ["[warning]", "[error]", "[critical]"];

/// The last refusal, and what the plugin said to it: the last complaint since the refusal before, when it is the plugin's
/// configuration that was refused.
pub fn refusal(kind: Kind, log: &str) -> Option<String> {
    let lines: Vec<_> = log.lines().collect();
    let last = lines.iter().rposition(|line| line.contains(REFUSED))?;
    let after = |line: &str, words: &str| Some(line.split_once(words)?.1.trim().to_owned());
    let reason = after(lines.get(last)?, REFUSED)?;
    let mut before = lines.iter().take(last).rev().take_while(|line| !line.contains(REFUSED));
    let is_complaint = |line: &&&str| COMPLAINTS.iter().any(|level| line.contains(level)) && line.contains(PLUGIN);
    let said = if kind == Kind::Policy { before.find(is_complaint) } else { None };
    Some(match said.and_then(|line| after(line, PLUGIN)) {
        Some(said) => format!("{reason} ({said})"),
        None => reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
[21:40:01.000][7][error][wasm] [x.cc:1] wasm log mesh switchyard: an old complaint
[21:40:01.001][7][warning][config] [x.cc:2] Filesystem config update rejected: Unable to create Wasm plugin mesh
[21:46:33.543][7][info][wasm] [x.cc:1] wasm log switchyard switchyard: configuration fd18fcbd4cebb8f4 in force: 1 rules
[21:46:34.654][7][warning][config] [x.cc:2] Filesystem config update rejected: Invalid path: /nonexistent/ca.crt
";

    #[test]
    fn a_plugin_is_quoted_on_its_own_refusal_alone() {
        for kind in [Kind::Clusters, Kind::Policy] {
            assert_eq!(refusal(kind, LOG).as_deref(), Some("Invalid path: /nonexistent/ca.crt"), "{kind:?}");
        }
        let first: String = LOG.lines().take(2).flat_map(|line| [line, "\n"]).collect();
        let told = refusal(Kind::Policy, &first);
        assert_eq!(told.as_deref(), Some("Unable to create Wasm plugin mesh (mesh switchyard: an old complaint)"));
        assert_eq!(refusal(Kind::Policy, ""), None);
    }
}
