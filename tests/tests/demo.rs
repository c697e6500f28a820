//! The demo as people run it: it holds, it is what the README shows, and it leaves nothing behind.

#![cfg(not(target_family = "wasm"))]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use switchyard_tests::harness::envoy_binary;
use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The demo with temporary files in this folder, where nothing may be afterwards.
fn demo(temporary: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.env("TMPDIR", temporary.path()).env("ENVOY_BIN", envoy_binary().unwrap()).stdin(Stdio::null());
    command.env("SWITCHYARD_BIN", env!("CARGO_BIN_EXE_switchyard-in-tests"));
    command
}

/// Neither a file in the folder nor a process that was told one.
fn assert_nothing_is_left(temporary: &TempDir) {
    let files: Vec<_> = fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.is_empty(), "{files:?}");
    let folder = temporary.path().to_string_lossy();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let told = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let told = String::from_utf8_lossy(&told).replace('\0', " ");
        assert!(!told.contains(&*folder), "process {} is left: {told}", entry.path().display());
    }
}

#[test]
fn the_demo_holds_and_the_readme_shows_its_table() {
    let temporary = TempDir::new().unwrap();
    let readme = Path::new(ROOT).join("README.md");
    let output = demo(&temporary).arg("--check-readme").arg(readme).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("\nAll of it holds; everything that was started has ended"), "{said}");
    assert_nothing_is_left(&temporary);
}

#[test]
fn an_interrupt_ends_what_was_started() {
    let temporary = TempDir::new().unwrap();
    let mut child = demo(&temporary).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.starts_with("Envoy: ")).collect();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), &*said), (Some(130), "interrupted\n"), "{told:?}");
    assert_nothing_is_left(&temporary);
}

#[test]
fn a_failure_ends_what_was_started_and_is_told() {
    let temporary = TempDir::new().unwrap();
    let output = demo(&temporary).env("ENVOY_BIN", "false").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("instead of getting ready"), "{said}");
    assert_nothing_is_left(&temporary);
}

#[test]
fn an_unknown_option_is_usage() {
    let temporary = TempDir::new().unwrap();
    let output = demo(&temporary).arg("--chek-readme").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("error: unknown option `--chek-readme`\nusage: demo"), "{said}");
}
