//! What the demo can be told.

use std::path::PathBuf;

/// The options of the demo; it needs none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// What users and their cookies are made of. Another one makes another table, so `--check-readme` wants the default.
    pub seed: u64,
    /// A README whose table has to be the one that the demo prints.
    pub check_readme: Option<PathBuf>,
    /// A folder that keeps what the demo writes: manifests, Envoy's configuration, the recorded traffic.
    pub keep: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 7, check_readme: None, keep: None }
    }
}

/// What `--help` prints.
const HELP: &str = "\
usage: demo [--seed NUMBER] [--check-readme FILE] [--keep FOLDER]
  --seed NUMBER         makes other users; default 7
  --check-readme FILE   fails when the table between `<!-- demo -->` and `<!-- /demo -->` there is another one
  --keep FOLDER         keeps manifests, Envoy's configuration and the recorded traffic in this folder";

impl Options {
    /// Reads arguments without the program's name. Errors, which are usage: an unknown option, a missing or bad value.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(option) = arguments.next() {
            let value = || arguments.next().ok_or_else(|| format!("`{option}` needs a value\n{HELP}"));
            let mut value = value;
            match option.as_str() {
                "--seed" => {
                    let text = value()?;
                    options.seed =
                        text.parse().map_err(|_| format!("`{text}` is no seed; write a number from 0 to 2^64-1"))?;
                }
                "--check-readme" => options.check_readme = Some(value()?.into()),
                "--keep" => options.keep = Some(value()?.into()),
                _ => return Err(format!("unknown option `{option}`\n{HELP}")),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        Options::parse(arguments.iter().map(ToString::to_string))
    }

    #[test]
    fn options_are_read() {
        assert_eq!(parse(&[]), Ok(Options::default()));
        let all = Options { seed: 9, check_readme: Some("R".into()), keep: Some("k".into()) };
        assert_eq!(parse(&["--keep", "k", "--seed", "9", "--check-readme", "R"]), Ok(all));
    }

    #[test]
    fn a_wrong_option_is_usage() {
        for (arguments, message) in [
            (&["--sed", "9"][..], "unknown option `--sed`"),
            (&["--seed"], "`--seed` needs a value"),
            (&["--seed", "x"], "`x` is no seed; write a number from 0 to 2^64-1"),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
