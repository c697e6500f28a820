//! What `make test-istio` needs and does not find is told, and what a variable names is taken.

#![cfg(not(target_family = "wasm"))]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The scripts that build with Go, each with the variable that stands in for what it builds.
const BUILT: [(&[&str], &str); 5] = [
    (&["istiod.sh"], "PILOT_DISCOVERY_BIN"),
    (&["pilot-agent.sh"], "PILOT_AGENT_BIN"),
    (&["kubernetes.sh", "kube-apiserver"], "KUBE_APISERVER_BIN"),
    (&["kubernetes.sh", "kubectl"], "KUBECTL_BIN"),
    (&["istio-files.sh"], "ISTIO_FILES"),
];

/// A machine on which nothing is built yet: an empty cache, and the programs of this one's PATH but Go.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).unwrap();
        let path = env::var_os("PATH").unwrap();
        let mut all = BTreeMap::new();
        for file in env::split_paths(&path).filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
            all.entry(file.file_name()).or_insert_with(|| file.path());
        }
        all.remove(Path::new("go").as_os_str());
        for (name, file) in all {
            symlink(file, programs.join(name)).unwrap();
        }
        Self { folder }
    }

    /// A program of its own under this name.
    fn put(&self, name: &str, script: &str) -> PathBuf {
        let path = self.folder.path().join("bin").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(ROOT).env("PATH", self.folder.path().join("bin")).env("SWITCHYARD_CACHE", self.cache());
        // Those of `make` too: this test may be part of one.
        for variable in BUILT.iter().map(|(_, variable)| *variable).chain(["MAKEFLAGS", "MAKELEVEL", "MFLAGS"]) {
            command.env_remove(variable);
        }
        command
    }

    fn script(&self, words: &[&str]) -> Command {
        let mut command = self.command(Path::new(ROOT).join("tests/tools").join(words[0]));
        command.args(&words[1..]);
        command
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// What looks finished in the cache.
    fn installed(&self) -> Vec<String> {
        let files = fs::read_dir(self.cache()).into_iter().flatten().flatten();
        files.map(|file| file.file_name().into_string().unwrap()).filter(|name| !name.starts_with('.')).collect()
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn without_go_each_says_so_and_the_target_ends_before_it_builds_anything() {
    let machine = Machine::new();
    for (words, _) in BUILT {
        let (code, said) = said(&machine.script(words).output().unwrap());
        assert_eq!(code, Some(1), "{words:?}: {said}");
        assert!(said.starts_with("error: no Go on the PATH: ") && said.contains("Install Go"), "{words:?}: {said}");
    }
    let (code, said) = said(&machine.command("make").arg("test-istio").output().unwrap());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.starts_with("error: no Go on the PATH: ") && !said.contains("==="), "{said}");
    assert_eq!(machine.installed(), [""; 0]);
}

#[test]
fn what_a_variable_names_needs_no_go_and_must_be_there() {
    let machine = Machine::new();
    let program = machine.put("of-ones-own", "#!/bin/sh\n");
    let files = TempDir::new().unwrap();
    fs::write(files.path().join("istio-crds.yaml"), "").unwrap();
    for (words, variable) in BUILT {
        let own = if variable == "ISTIO_FILES" { files.path() } else { &program };
        let output = machine.script(words).env(variable, own).output().unwrap();
        assert_eq!(said(&output), (Some(0), format!("{}\n", own.display())), "{variable}");

        let (code, said) = said(&machine.script(words).env(variable, "/nowhere").output().unwrap());
        assert_eq!(code, Some(1), "{variable}: {said}");
        assert!(said.starts_with(&format!("error: {variable} names `/nowhere`, w")), "{said}");
    }
}

/// A proxy of Go modules that does not answer, or a build that ends.
#[test]
fn what_failed_does_not_look_finished() {
    let machine = Machine::new();
    machine.put("go", "#!/bin/sh\necho no route to host >&2\nexit 1\n");
    for (words, _) in BUILT {
        let (code, said) = said(&machine.script(words).output().unwrap());
        assert_eq!(code, Some(1), "{words:?}: {said}");
        assert!(said.contains("no route to host") && said.contains("could not be installed"), "{words:?}: {said}");
        assert_eq!(machine.installed(), [""; 0], "{words:?}");
    }
}
