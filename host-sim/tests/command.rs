//! The command as people call it: each folder of `tests/command` is one call, in a folder of its own.
//!
//! `in/cmd` is run by bash with `switchyard` on the path, in a copy of `in/` with `shop/` beside it; `out/` holds
//! `stdout`, `stderr`, `code`, and files that the call must write. `UPDATE_COMMAND=1 cargo test --test command` writes
//! what comes out today; look at the difference before you commit it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

fn run(case: &Path) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&case.join("in"), folder.path());
    copy(&root().join("shop"), &folder.path().join("shop"));
    let binary = Path::new(env!("CARGO_BIN_EXE_switchyard"));
    let path = std::env::var("PATH").expect("PATH");
    let command = fs::read_to_string(case.join("in/cmd")).expect("in/cmd");
    let output = Command::new("bash")
        .args(["-c", &command])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", binary.parent().expect("a folder").display()))
        .env_remove("CLICOLOR_FORCE")
        .env("COLUMNS", "110")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("bash");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let mut results = vec![
        ("code".to_owned(), format!("{}\n", output.status.code().expect("a code"))),
        ("stderr".to_owned(), text(output.stderr)),
        ("stdout".to_owned(), text(output.stdout)),
    ];
    for entry in fs::read_dir(case.join("out")).into_iter().flatten() {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        if !["code", "stderr", "stdout"].contains(&name.as_str()) {
            let written = fs::read_to_string(folder.path().join(&name));
            results.push((name, written.unwrap_or_else(|error| format!("not written: {error}"))));
        }
    }
    results
}

#[test]
fn every_call_does_what_its_folder_says() {
    let mut cases: Vec<_> = fs::read_dir(root())
        .expect("tests/command")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("in").is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() >= 25, "{} cases", cases.len());
    let update = std::env::var_os("UPDATE_COMMAND").is_some();
    let mut failures = String::new();
    for case in cases {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        for (file, result) in run(&case) {
            let path = case.join("out").join(&file);
            if update {
                fs::create_dir_all(case.join("out")).expect("a folder");
                fs::write(&path, &result).expect("a file");
            }
            let expected = fs::read_to_string(&path).unwrap_or_default();
            if result != expected {
                let _ = write!(failures, "\n=== {name}: {file}\n--- expected\n{expected}--- came out\n{result}");
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
