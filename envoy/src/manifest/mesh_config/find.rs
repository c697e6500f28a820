//! Where in a file the mesh configuration is: the file itself, or one of the resources that people have it in.

use super::super::{Input, Kind, Manifest};
use crate::diagnostic::{Diagnostic, sort};
use crate::source::{Place, Source, Span};
use crate::yaml::{Data, Entry, Node, Path, load};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What may be given.
const FORMS: &str =
    "give Istio's MeshConfig, its ConfigMap `istio`, an IstioOperator, or values of Helm with `meshConfig`";

/// A mesh configuration, with the key that it belongs to.
struct Found<'a> {
    node: &'a Node,
    key: Span,
}

/// The mesh configuration of a file, as the `spec` of a manifest: `MeshConfig` as it is, `data.mesh` of a `ConfigMap` (also
/// in a `kind: List`), `spec.meshConfig` or `spec.values.meshConfig` of an `IstioOperator` (or an `Istio` of the Sail
/// operator), `meshConfig` in values of Helm.
///
/// # Errors
/// A text that is no YAML, none of these, or several.
pub fn find(input: Input) -> Result<Manifest, Vec<Diagnostic>> {
    let (source, bad) = input.decode();
    let source = Arc::new(source);
    if let Some(at) = bad {
        let span = Span::of(&source.text, at, at + '\u{fffd}'.len_utf8());
        let found = Diagnostic::error(Place { source, span }, "unreadable YAML: not UTF-8");
        return Err(vec![found.help("save the file as UTF-8")]);
    }
    let documents = parsed(&source)?;
    let mut all = vec![];
    for document in &documents {
        candidates(document, &mut all);
    }
    let place = |span: Span| Place { source: Arc::clone(&source), span };
    match all.as_slice() {
        [] => {
            let found = match documents.first() {
                Some(first) => Diagnostic::error(place(first.locate(&Path::root())), "here is no mesh configuration"),
                None => Diagnostic::unplaced(format!("`{}` has no mesh configuration", source.name)),
            };
            Err(vec![found.help(FORMS)])
        }
        [found] => manifest(&source, found),
        [first, second, ..] => {
            let found = Diagnostic::error(place(second.key), "here is another mesh configuration: give one");
            Err(vec![found.also(place(first.key), "the first")])
        }
    }
}

fn parsed(source: &Arc<Source>) -> Result<Vec<Node>, Vec<Diagnostic>> {
    let (documents, problems) = load(&source.text);
    if problems.is_empty() {
        return Ok(documents);
    }
    let mut found: Vec<_> = problems.into_iter().map(|problem| Diagnostic::of_problem(source, problem)).collect();
    sort(&mut found);
    Err(found)
}

/// What of a document, or of the items of a list, is one.
fn candidates<'a>(document: &'a Node, all: &mut Vec<Found<'a>>) {
    let path = |fields: &[&str]| fields.iter().fold(Path::root(), |path, field| path.field(field));
    let mut at = |fields: &[&str]| {
        let path = path(fields);
        let node = document.at(&path).filter(|node| !node.is_null());
        all.extend(node.map(|node| Found { node, key: document.locate_key(&path) }));
        node.is_some()
    };
    match document.get("kind").and_then(Node::as_str) {
        Some("ConfigMap") => {
            at(&["data", "mesh"]);
        }
        Some("IstioOperator" | "Istio") => {
            at(&["spec", "meshConfig"]);
            at(&["spec", "values", "meshConfig"]);
        }
        Some(kind) if kind.ends_with("List") => {
            for item in document.get("items").map(Node::items).unwrap_or_default() {
                candidates(item, all);
            }
        }
        Some(_) => {}
        None => {
            let is_map = matches!(document.data, Data::Map(_));
            if !at(&["meshConfig"]) && is_map {
                all.push(Found { node: document, key: document.locate(&Path::root()) });
            }
        }
    }
}

/// As a manifest: its diagnostics know where everything is.
fn manifest(file: &Arc<Source>, found: &Found<'_>) -> Result<Manifest, Vec<Diagnostic>> {
    let (source, node) = match found.node.as_str() {
        // A ConfigMap has it as a text.
        Some(text) => inner(file, found, text)?,
        None => (Arc::clone(file), found.node.clone()),
    };
    if !matches!(node.data, Data::Map(_)) {
        let message = format!("expected a mesh configuration, found {}", node.describe());
        let place = Place { source: Arc::clone(file), span: found.key };
        return Err(vec![Diagnostic::error(place, message).help(FORMS)]);
    }
    let span = node.span;
    let spec = Entry { key: "spec".into(), key_span: found.key, value: node };
    Ok(Manifest {
        api_version: "mesh.istio.io/v1alpha1".into(),
        kind_name: "MeshConfig".into(),
        kind: Kind::Other,
        name: "mesh".into(),
        namespace: String::new(),
        creation_timestamp: String::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        source,
        node: Node { data: Data::Map(vec![spec]), span },
    })
}

/// YAML in a text of YAML. Where it is a block, its lines are lines of the file, and errors are told there; else (quoted,
/// as JSON has it) they are told in the text itself.
fn inner(source: &Arc<Source>, found: &Found<'_>, text: &str) -> Result<(Arc<Source>, Node), Vec<Diagnostic>> {
    let (read, shown) = if let Some(blanked) = block(&source.text, found.node.span, text) {
        (Source { name: source.name.clone(), text: blanked }, Arc::clone(source))
    } else {
        let inner = Source { name: format!("{} (data.mesh)", source.name), text: text.to_owned() };
        (inner.clone(), Arc::new(inner))
    };
    let (documents, problems) = load(&read.text);
    if !problems.is_empty() {
        let mut told: Vec<_> = problems.into_iter().map(|problem| Diagnostic::of_problem(&shown, problem)).collect();
        sort(&mut told);
        return Err(told);
    }
    match documents.as_slice() {
        [] => Ok((shown, Node { data: Data::Map(vec![]), span: found.node.span })),
        [one] => Ok((shown, one.clone())),
        [_, second, ..] => {
            let span = second.locate(&Path::root());
            Err(vec![Diagnostic::error(Place { source: shown, span }, "here is a second document: write one")])
        }
    }
}

/// A file of which only the lines of a block are left, each where it was: what is read of it has the places of the file.
/// `None` where the text is no block.
fn block(file: &str, span: Span, text: &str) -> Option<String> {
    let wanted: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = wanted.first()?;
    let mut blanked = String::with_capacity(file.len());
    let mut lines = file.split_inclusive('\n');
    let (mut at, mut indent, mut kept) = (0, None, vec![]);
    for line in &mut lines {
        let end = at + line.len();
        let content = line.trim_end_matches(['\n', '\r']);
        let begins = content.strip_suffix(first).filter(|before| before.bytes().all(|b| b == b' '));
        // The span begins at the `|` or after it.
        if indent.is_none() && end > span.start && kept.is_empty() {
            indent = begins.map(str::len);
        }
        let own = indent.filter(|_| kept.len() < wanted.len()).and_then(|indent| content.get(indent..));
        match own.filter(|own| !own.trim().is_empty()) {
            Some(own) => {
                kept.push(own);
                blanked.push_str(line);
            }
            None => blanked.extend(line.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
        }
        at = end;
    }
    (kept == wanted).then_some(blanked)
}

#[cfg(test)]
mod tests {
    use super::super::super::Input;
    use super::find;
    use crate::diagnostic::Diagnostic;
    use crate::manifest::MeshConfig;

    fn read(text: &str) -> Result<MeshConfig, Vec<String>> {
        let input = Input { name: "mesh.yaml".into(), bytes: text.as_bytes().to_vec() };
        let told = |found: Vec<Diagnostic>| -> Vec<String> {
            found
                .iter()
                .map(|one| {
                    let place = one.place.as_ref().map_or_else(String::new, |place| {
                        format!("{}:{}:{}: ", place.source.name, place.span.line, place.span.column)
                    });
                    format!("{place}{}: {}", one.field, one.message)
                })
                .collect()
        };
        find(input).and_then(|manifest| manifest.read_spec()).map_err(told)
    }

    const PLAIN: &str = "connectTimeout: 3s\nrootNamespace: mesh-config\n";

    /// As `kubectl get configmap istio -n istio-system -o yaml` prints it.
    const CONFIG_MAP: &str = "apiVersion: v1
data:
  mesh: |-
    # größer
    connectTimeout: 3s

    rootNamespace: mesh-config
  meshNetworks: 'networks: {}'
kind: ConfigMap
metadata:
  name: istio
  namespace: istio-system
";

    #[test]
    fn it_is_found_in_all_that_people_have_it_in() {
        let indented = PLAIN.replace('\n', "\n    ");
        let item = format!("- {}", CONFIG_MAP.trim_end().replace('\n', "\n  "));
        let forms = [
            PLAIN.to_owned(),
            CONFIG_MAP.to_owned(),
            CONFIG_MAP.replace("|-", "|"),
            format!("apiVersion: v1\nkind: List\nitems:\n{item}\n"),
            "kind: ConfigMap\ndata: {mesh: \"connectTimeout: 3s\\nrootNamespace: mesh-config\"}\n".to_owned(),
            format!("kind: IstioOperator\nspec:\n  profile: default\n  meshConfig:\n    {indented}"),
            format!("kind: Istio\nspec:\n  values:\n   meshConfig:\n    {indented}"),
            format!("pilot: {{}}\nmeshConfig:\n    {indented}"),
            format!("kind: Service\n---\n{CONFIG_MAP}"),
        ];
        for text in forms {
            let read = read(&text).unwrap_or_else(|said| panic!("{text}: {said:?}"));
            assert_eq!(read.connect_timeout.map(|timeout| timeout.ms), Some(3000), "{text}");
            assert_eq!(read.root_namespace.as_deref(), Some("mesh-config"), "{text}");
        }
        let empty = read("kind: ConfigMap\ndata:\n  mesh: ''\n").unwrap_or_default();
        assert_eq!(empty, MeshConfig::default());
    }

    #[test]
    fn an_error_in_the_text_of_a_config_map_is_told_where_it_is_in_the_file() {
        let told = |text: &str| read(text).expect_err("wrong");
        let wrong = CONFIG_MAP.replace("rootNamespace: mesh", "rootNamspace: mesh");
        let message = "rootNamspace: unknown field `rootNamspace`, did you mean `rootNamespace`?";
        assert_eq!(told(&wrong), [format!("mesh.yaml:7:5: {message}")]);
        let wrong = CONFIG_MAP.replace("3s", "3");
        let message = "connectTimeout: expected a duration such as `10s`, found the number `3`";
        assert_eq!(told(&wrong), [format!("mesh.yaml:5:21: {message}")]);
        let wrong = CONFIG_MAP.replace("connectTimeout: 3s", "connectTimeout: 3s\n    connectTimeout: 4s");
        assert_eq!(told(&wrong), ["mesh.yaml:6:5: : the key `connectTimeout` is written twice"]);
        // Quoted, as JSON has it, the lines of the text are none of the file.
        let quoted = "{\"kind\": \"ConfigMap\", \"data\": {\"mesh\": \"trustDomain: td\\nconnectTimeout: 3\"}}";
        let message = "connectTimeout: expected a duration such as `10s`, found the number `3`";
        assert_eq!(told(quoted), [format!("mesh.yaml (data.mesh):2:17: {message}")]);
    }

    #[test]
    fn what_is_none_or_two_is_told() {
        let told = |text: &str| read(text).expect_err("wrong");
        assert_eq!(told("kind: Service\n"), ["mesh.yaml:1:1: : here is no mesh configuration"]);
        assert_eq!(told(""), [": `mesh.yaml` has no mesh configuration"]);
        assert_eq!(told("- a\n"), ["mesh.yaml:1:3: : here is no mesh configuration"]);
        let two = format!("{PLAIN}---\n{PLAIN}");
        assert_eq!(told(&two), ["mesh.yaml:4:1: : here is another mesh configuration: give one"]);
        let list = "kind: ConfigMap\ndata:\n  mesh: '[a]'\n";
        assert_eq!(told(list), ["mesh.yaml:3:3: : expected a mesh configuration, found a list"]);
    }
}
