//! What is judged: a file per set in `sets/`, manifests and then a document `asked` with what is asked of them.
//!
//! A line of it is a port, or `port/name` where TLS asks for that name; then the host and the target.

use std::collections::BTreeSet;
use std::path::Path;
use switchyard_envoy::yaml;

const SETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/istio_gateways/sets");

/// Manifests, and what is asked of them.
pub struct Set {
    /// The file's, without its ending.
    pub name: String,
    pub manifests: String,
    pub asked: Vec<Ask>,
}

/// A request.
#[derive(Debug)]
pub struct Ask {
    pub port: u16,
    /// What is asked for over TLS; nothing: plain.
    pub name: String,
    pub host: String,
    pub target: String,
}

impl Set {
    /// Ports that both sides must have.
    pub fn ports(&self) -> BTreeSet<u16> {
        self.asked.iter().map(|ask| ask.port).collect()
    }

    /// Those with TLS.
    pub fn tls_ports(&self) -> BTreeSet<u16> {
        self.asked.iter().filter(|ask| !ask.name.is_empty()).map(|ask| ask.port).collect()
    }
}

/// All sets, by name.
pub fn sets() -> Vec<Set> {
    let mut files: Vec<_> = std::fs::read_dir(SETS).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| set(file)).collect()
}

fn set(file: &Path) -> Set {
    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).unwrap();
    let (manifests, asked) = text.rsplit_once("---\n").unwrap_or_else(|| panic!("{name}: nothing is asked"));
    let (documents, problems) = yaml::load(asked);
    assert_eq!(problems, [], "{name}");
    let asked = documents[0].to_json();
    let lines = asked["asked"].as_array().unwrap_or_else(|| panic!("{name}: nothing is asked"));
    let asked = lines.iter().map(|line| ask(line.as_str().unwrap())).collect();
    Set { name, manifests: manifests.to_owned(), asked }
}

fn ask(line: &str) -> Ask {
    let [at, host, target] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("`{line}` is no request") };
    let (port, name) = at.split_once('/').unwrap_or((at, ""));
    Ask { port: port.parse().unwrap(), name: name.into(), host: host.into(), target: target.into() }
}
