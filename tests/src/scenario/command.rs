//! What `switchyard` prints of a scenario's manifests.

use super::Scenario;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `switchyard check` prints, with what was typed before it and the exit code behind it. Errors: it does not start.
pub fn check(program: &Path, scenario: &Scenario) -> Result<String, String> {
    let arguments = scenario.arguments();
    let (code, said) = call(program, scenario, &["check"])?;
    let mut text = format!("$ switchyard check {}\n{said}", arguments.join(" "));
    let _ = writeln!(text, "(exit code {code})");
    Ok(text)
}

/// What is wrong with how `switchyard generate` takes manifests that `check` refuses: it must not write anything.
pub fn refused(program: &Path, scenario: &Scenario) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = folder.path().join("out");
    let (code, said) = call(program, scenario, &["generate", "--target", "envoy", "--out", &out.to_string_lossy()])?;
    let mut wrong = Vec::new();
    if code != 3 {
        wrong.push(format!("generate ends with {code}, not 3: {said}"));
    }
    if out.exists() {
        wrong.push("generate writes something".into());
    }
    Ok(wrong)
}

fn call(program: &Path, scenario: &Scenario, verb: &[&str]) -> Result<(i32, String), String> {
    let output = Command::new(program)
        .args(verb)
        .args(scenario.arguments())
        .current_dir(&scenario.folder)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "110")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{}` does not start: {error}", program.display()))?;
    let code = output.status.code().ok_or("a signal ended it")?;
    Ok((code, String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned()))
}
