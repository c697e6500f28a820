//! Texts to manifests.

use super::files::open;
use super::{Input, Kind, Manifest, Manifests, ReadError};
use crate::diagnostic::{Diagnostic, sort};
use crate::source::{Place, Source, Span};
use crate::yaml::{Data, Entry, Node, Path, load};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use switchyard_filter::compile::is_label;
use switchyard_filter::error::At;
use switchyard_filter::read::unknown_fields;

/// Fields of a manifest.
const TOP: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];

/// Fields of `metadata` that a person writes.
const METADATA: &[&str] = &["name", "namespace", "labels", "annotations", "creationTimestamp"];

/// Fields of `metadata` that a server adds, or that mean nothing to us.
const SERVER: &[&str] = &[
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Reads MANIFEST arguments: files, folders, or `-` for `stdin`. `namespace` is the command's `--namespace`.
///
/// # Errors
/// What cannot be opened, or else everything that is wrong with what was.
pub fn read(arguments: &[String], namespace: Option<&str>, stdin: &mut dyn io::Read) -> Result<Manifests, ReadError> {
    read_sources(open(arguments, stdin).map_err(ReadError::Open)?, namespace)
}

/// Reads texts.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read_sources(inputs: Vec<Input>, namespace: Option<&str>) -> Result<Manifests, ReadError> {
    let mut reader = Reader::default();
    for input in inputs {
        reader.input(input);
    }
    let mut manifests = Manifests { all: reader.all, unread: reader.unread, namespace: String::new() };
    manifests.namespace = namespace.map_or_else(|| agreed_namespace(&manifests.all), Into::into);
    for manifest in manifests.all.iter_mut().chain(&mut manifests.unread) {
        if manifest.namespace.is_empty() {
            manifest.namespace.clone_from(&manifests.namespace);
        }
    }
    reader.diagnostics.extend(twice(&manifests.all));
    if reader.diagnostics.is_empty() {
        return Ok(manifests);
    }
    sort(&mut reader.diagnostics);
    Err(ReadError::Invalid(reader.diagnostics))
}

/// The namespace that all manifests have which have one, else `default`.
fn agreed_namespace(all: &[Manifest]) -> String {
    // Pods only say what endpoints are.
    let namespaces = all.iter().filter(|m| m.kind != Kind::Pod).map(|m| m.namespace.as_str());
    let written: BTreeSet<&str> = namespaces.filter(|n| !n.is_empty()).collect();
    let mut written = written.into_iter();
    match (written.next(), written.next()) {
        (Some(only), None) => only.into(),
        _ => "default".into(),
    }
}

/// Manifests of one kind, namespace and name. Cases have no identity.
fn twice(all: &[Manifest]) -> Vec<Diagnostic> {
    let mut first: BTreeMap<_, &Manifest> = BTreeMap::new();
    let mut found = vec![];
    for manifest in all.iter().filter(|manifest| manifest.kind != Kind::Case) {
        let key = (manifest.kind, &manifest.namespace, &manifest.name);
        if let Some(earlier) = first.get(&key) {
            let path = Path::root().field("metadata").field("name");
            found.push(
                manifest
                    .error(&path, &format!("`{manifest}` is written twice"))
                    .also(earlier.name_place(), "first written here"),
            );
        } else {
            first.insert(key, manifest);
        }
    }
    found
}

#[derive(Default)]
struct Reader {
    all: Vec<Manifest>,
    unread: Vec<Manifest>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn input(&mut self, input: Input) {
        let (source, bad) = input.decode();
        let source = Arc::new(source);
        if let Some(at) = bad {
            let span = Span::of(&source.text, at, at + '\u{fffd}'.len_utf8());
            let place = Place { source, span };
            self.diagnostics
                .push(Diagnostic::error(place, "unreadable YAML: not UTF-8").help("save the file as UTF-8"));
            return;
        }
        let (documents, problems) = load(&source.text);
        self.diagnostics.extend(problems.into_iter().map(|problem| Diagnostic::of_problem(&source, problem)));
        for document in documents {
            self.document(&source, document);
        }
    }

    fn document(&mut self, source: &Arc<Source>, node: Node) {
        let is_list = node.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"));
        if is_list && let Data::Map(entries) = node.data {
            self.list(source, entries);
        } else {
            self.manifest(source, node);
        }
    }

    /// The items of a `kind: List`, or of a `kind: VirtualServiceList` as kubectl prints it.
    fn list(&mut self, source: &Arc<Source>, entries: Vec<Entry>) {
        for entry in entries {
            if entry.key != "items" {
                continue;
            }
            match entry.value.data {
                Data::List(items) => {
                    for item in items {
                        self.document(source, item);
                    }
                }
                _ if entry.value.is_null() => {}
                _ => {
                    let place = Place { source: Arc::clone(source), span: entry.key_span };
                    let message = format!("expected a list, found {}", entry.value.describe());
                    self.diagnostics.push(Diagnostic::error(place, message).field("items"));
                }
            }
        }
    }

    fn manifest(&mut self, source: &Arc<Source>, node: Node) {
        let mut fields = Fields { source, node: &node, errors: vec![] };
        let root = Path::root();
        if !matches!(node.data, Data::Map(_)) {
            fields.error(&root, &format!("expected a manifest, found {}", node.describe()));
            self.diagnostics.append(&mut fields.errors);
            return;
        }
        let is_case = node.get("kind").and_then(Node::as_str) == Some("Case");
        let kind_name = fields.required(&root.clone().field("kind"));
        let api_version = if is_case && node.get("apiVersion").is_none() {
            "switchyard.dev/v1alpha1".into()
        } else {
            fields.required(&root.clone().field("apiVersion"))
        };
        let mut kind = Kind::Other;
        if !kind_name.is_empty() && !api_version.is_empty() {
            match Kind::of(&api_version, &kind_name) {
                Ok(found) => kind = found,
                Err((field, message, help)) => {
                    fields.error(&root.clone().field(field), &message);
                    if let (Some(last), Some(help)) = (fields.errors.last_mut(), help) {
                        last.help = Some(help);
                    }
                }
            }
        }
        let metadata = root.clone().field("metadata");
        let name = match kind {
            // Anything may be called by `generateName`, and a case needs no name.
            Kind::Other | Kind::Case => fields.string(&metadata.clone().field("name")),
            _ => fields.required(&metadata.clone().field("name")),
        };
        let mut manifest = Manifest {
            api_version,
            kind_name,
            kind,
            name,
            namespace: fields.namespace(&metadata.clone().field("namespace")),
            creation_timestamp: String::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            source: Arc::clone(source),
            node: Node { data: Data::List(vec![]), span: node.span },
        };
        if kind != Kind::Other {
            manifest.creation_timestamp = fields.string(&metadata.clone().field("creationTimestamp"));
            manifest.labels = fields.strings(&metadata.clone().field("labels"));
            manifest.annotations = fields.strings(&metadata.clone().field("annotations"));
            // Its fields are read with the rest of it.
            if kind != Kind::EndpointSlice {
                fields.known(&root, TOP, &[]);
            }
            fields.known(&metadata, METADATA, SERVER);
        }
        self.diagnostics.append(&mut fields.errors);
        manifest.node = node;
        if kind == Kind::Other { self.unread.push(manifest) } else { self.all.push(manifest) }
    }
}

/// Reads single fields of a manifest.
struct Fields<'a> {
    source: &'a Arc<Source>,
    node: &'a Node,
    errors: Vec<Diagnostic>,
}

impl Fields<'_> {
    fn error(&mut self, path: &Path, message: &str) {
        self.errors.push(Diagnostic::of_field(self.source, self.node, path, message));
    }

    fn required(&mut self, path: &Path) -> String {
        let before = self.errors.len();
        let text = self.string(path);
        if text.is_empty() && self.errors.len() == before {
            self.error(path, &format!("`{path}` is missing"));
        }
        text
    }

    /// The text at `path`, empty where there is none.
    fn string(&mut self, path: &Path) -> String {
        match self.node.at(path) {
            None => String::new(),
            Some(node) if node.is_null() => String::new(),
            Some(node) => node.as_str().map_or_else(
                || {
                    self.error(path, &format!("expected a string, found {}", node.describe()));
                    String::new()
                },
                Into::into,
            ),
        }
    }

    /// The namespace at `path`, empty where there is none: names of clusters have it in them.
    fn namespace(&mut self, path: &Path) -> String {
        let name = self.string(path);
        if !name.is_empty() && !is_label(&name) {
            self.error(path, &format!("`{}` is no namespace", name.escape_debug()));
            if let Some(last) = self.errors.last_mut() {
                last.help = Some("write lower-case letters, digits and `-`, at most 63".into());
            }
        }
        name
    }

    fn strings(&mut self, path: &Path) -> BTreeMap<String, String> {
        let Some(node) = self.node.at(path).filter(|node| !node.is_null()) else { return BTreeMap::new() };
        if !matches!(node.data, Data::Map(_)) {
            self.error(path, &format!("expected an object, found {}", node.describe()));
        }
        node.entries().iter().map(|e| (e.key.clone(), self.string(&path.clone().field(&e.key)))).collect()
    }

    /// Refuses fields of the map at `path` that are neither `known` nor `ignored`.
    fn known(&mut self, path: &Path, known: &[&str], ignored: &[&str]) {
        let Some(node) = self.node.at(path) else { return };
        let names = node.entries().iter().filter(|e| !ignored.contains(&e.key.as_str()));
        let names = names.map(|e| (e.key.clone(), serde_json::Value::Null)).collect();
        let mut at = At::root();
        unknown_fields(&names, known, &[], &[], &mut at);
        for error in at.into_errors() {
            self.error(&path.clone().join(&Path::parse(&error.path).0), &error.message);
        }
    }
}
