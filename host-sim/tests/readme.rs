//! README is true: its console blocks print what they say, and it names every field of the configuration.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above this crate").to_owned()
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// What a command line prints, stdout and stderr after each other; it runs in the repository's root, by a shell.
fn run(line: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_switchyard"));
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-c", line])
        .current_dir(root())
        .env("PATH", format!("{}:{path}", binary.parent().expect("a folder").display()))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "120")
        .output()
        .expect("bash");
    let text = [output.stdout, output.stderr].concat();
    let mut lines: Vec<String> =
        String::from_utf8(text).expect("UTF-8").lines().map(|line| line.trim_end().into()).collect();
    lines.push(String::new());
    lines.join("\n")
}

/// Each command of a block that begins with ```` ```console ````, and what stands below it.
fn commands(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (line, line.strip_prefix("$ ")) {
            ("```console", _) => inside = true,
            ("```", _) => inside = false,
            (_, Some(command)) if inside => commands.push((command.to_owned(), String::new())),
            _ if inside => {
                let (_, output) = commands.last_mut().expect("a console block begins with a command");
                output.push_str(line);
                output.push('\n');
            }
            _ => {}
        }
    }
    commands
}

/// `UPDATE_README=1 cargo test -p switchyard-host-sim --test readme` writes what the commands print today.
#[test]
fn console_blocks_print_what_they_say() {
    let text = readme();
    let commands = commands(&text);
    assert!(commands.len() >= 3, "README shows the command at work");
    let mut new = text.clone();
    for (command, expected) in &commands {
        let printed = run(command);
        new = new.replace(&format!("$ {command}\n{expected}"), &format!("$ {command}\n{printed}"));
        if std::env::var_os("UPDATE_README").is_none() {
            assert_eq!(&printed, expected, "`{command}` prints something else than README says");
        }
    }
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(root().join("README.md"), new).expect("README.md can be written");
    }
}

/// Names of all properties in a JSON Schema.
fn properties(schema: &serde_json::Value, names: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(entries) => {
            if let Some(serde_json::Value::Object(properties)) = entries.get("properties") {
                names.extend(properties.keys().cloned());
            }
            entries.values().for_each(|value| properties(value, names));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| properties(value, names)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_configuration_is_explained() {
    let mut names = BTreeSet::new();
    for kind in ["policy", "config"] {
        properties(&serde_json::from_str(&run(&format!("switchyard schema {kind}"))).expect("JSON"), &mut names);
    }
    assert!(names.len() > 40, "{names:?}");
    let text = readme();
    let reference = text.split("## Configuration").nth(1).expect("a chapter on configuration");
    // `http[].match`, `port.number` and `tags[].rules` name their last part too.
    let told: BTreeSet<&str> =
        reference.split('`').skip(1).step_by(2).flat_map(|code| code.split(['.', '[', ']', ' ', ':'])).collect();
    let missing: Vec<_> = names.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "README's chapter on configuration does not name {missing:?}");
}

#[test]
fn every_exit_code_is_in_the_help_too() {
    let help = run("switchyard --help");
    for code in 0..=4 {
        assert!(readme().contains(&format!("| {code} | ")) && help.contains(&format!("{code}  ")), "{code}: {help}");
    }
}
