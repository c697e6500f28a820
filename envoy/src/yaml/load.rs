//! Events of the parser to nodes.

use super::{Data, Entry, MAX_ALIASED, MAX_DEPTH, Node, Problem, scalar};
use crate::source::Span;
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads every document of `text`. Documents that say nothing are left out, and so are those that are wrong, for which
/// there is at least one problem.
pub fn load(text: &str) -> (Vec<Node>, Vec<Problem>) {
    let options = granit_parser::options! {
        emit_comments: false,
        disallow_directives: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut documents = vec![];
    let mut problems = vec![];
    let mut builder = Builder::new(text);
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((Event::DocumentStart(..), _))) => builder = Builder::new(text),
            Some(Ok((Event::DocumentEnd, _))) => {
                let ended = std::mem::replace(&mut builder, Builder::new(text));
                match ended.root {
                    Some(node) if ended.problems.is_empty() && !node.is_null() => documents.push(node),
                    _ => problems.extend(ended.problems),
                }
            }
            Some(Ok((event, span))) => {
                if !builder.event(event, span) {
                    // Too much of it: reading on would only cost.
                    problems.append(&mut builder.problems);
                    if !matches!(parser.proceed_next_document(), Ok(true)) {
                        break;
                    }
                }
            }
            Some(Err(error)) => {
                problems.append(&mut builder.problems);
                problems.push(syntax(text, &error));
                if !matches!(parser.proceed_next_document(), Ok(true)) {
                    break;
                }
            }
        }
    }
    (documents, problems)
}

/// The parser's words, in our form.
fn syntax(text: &str, error: &ScanError) -> Problem {
    let message = error.info();
    let mut message = message.trim_end_matches('.').replace('\n', ", ");
    if let Some(first) = message.get(..1) {
        let lower = first.to_ascii_lowercase();
        message.replace_range(..1, &lower);
    }
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    let end =
        text.get(at..).and_then(|rest| rest.chars().next()).filter(|c| *c != '\n').map_or(at, |c| at + c.len_utf8());
    let tab = text.get(at..).is_some_and(|rest| rest.starts_with('\t'))
        || text.get(..at).is_some_and(|before| before.ends_with('\t'));
    let item = text.get(..at).is_some_and(|before| before.trim_end_matches(' ').ends_with('-'));
    let help = if tab {
        Some("indent with spaces: YAML takes no tabs there")
    } else if message.contains("quoted scalar") && !message.contains("escape") {
        Some("close the quote that was opened before")
    } else if message.contains("mapping values") {
        Some("quote a value that contains `: `, and indent the keys of one map equally")
    } else if message.contains("expected key") && item {
        Some("`-` begins an item of a list, and here are the keys of a map: leave it out, or indent it below its key")
    } else if message.contains("unexpected character") {
        Some("quote it")
    } else {
        None
    };
    let help = help.map(Into::into);
    Problem { message: format!("unreadable YAML: {message}"), span: Span::of(text, at, end), help, also: None }
}

/// A list or map that has not ended.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value; `None` in a list and between entries.
    key: Option<Key>,
    /// The keys so far, of a map.
    keys: BTreeMap<String, Span>,
    /// The maps of `<<`, in the order in which they count.
    merged: Vec<Node>,
}

enum Key {
    Name(String, Span),
    Merge(Span),
    /// A key that was refused: its value is read and dropped.
    Refused,
}

impl Open {
    /// Adds what `<<` brings and is not written: earlier maps win over later ones.
    fn merge(&mut self) {
        let Data::Map(entries) = &mut self.node.data else { return };
        for map in self.merged.drain(..) {
            let Data::Map(brought) = map.data else { continue };
            for entry in brought {
                if self.keys.insert(entry.key.clone(), entry.key_span).is_none() {
                    entries.push(entry);
                }
            }
        }
    }
}

struct Builder<'a> {
    text: &'a str,
    root: Option<Node>,
    open: Vec<Open>,
    /// What `&name` stands for, with how many values it has and how deep it is; `None` while it is read.
    anchors: BTreeMap<usize, Option<(Node, usize, usize)>>,
    aliased: usize,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, root: None, open: vec![], anchors: BTreeMap::new(), aliased: 0, problems: vec![] }
    }

    fn problem(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        self.problems.push(Problem { message: message.into(), span, help, also: None });
    }

    fn span(span: granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or_default();
        Span { line: span.start.line(), column: span.start.col() + 1, start: range.start, end: range.end }
    }

    /// Takes one event; `false` when the document is over its budget and shall be left.
    fn event(&mut self, event: Event<'_>, span: granit_parser::Span) -> bool {
        let at = Self::span(span);
        let tag_at = span.tag_span().map_or(at, Self::span);
        match event {
            Event::Scalar(raw, style, anchor, tag) => {
                if self.waits_for_key() && style == ScalarStyle::Plain && raw == "<<" && tag.is_none() {
                    self.set_key(Key::Merge(at));
                    return true;
                }
                let value = self.scalar(&raw, style, tag.as_deref(), at, tag_at);
                let node = Node { data: Data::Scalar { value, raw: raw.into_owned() }, span: at };
                self.complete(node, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", tag_at);
                self.start(Data::List(vec![]), at, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", tag_at);
                self.start(Data::Map(vec![]), at, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(mut open) = self.open.pop() else { return true };
                // Trailing line breaks belong to no value.
                open.node.span.end = at.end.max(open.node.span.start);
                open.merge();
                self.complete(open.node, open.anchor)
            }
            Event::Alias(id) => self.alias(id, at),
            _ => true,
        }
    }

    fn alias(&mut self, id: usize, at: Span) -> bool {
        let Some(Some((node, size, depth))) = self.anchors.get(&id) else {
            self.problem(at, "the alias stands inside of what it names", None);
            return false;
        };
        let (node, size, depth) = (node.clone(), *size, *depth);
        self.aliased += size;
        if self.aliased > MAX_ALIASED {
            self.problem(at, format!("aliases repeat more than {MAX_ALIASED} values"), None);
            return false;
        }
        if self.open.len() + depth > MAX_DEPTH {
            return self.too_deep(at);
        }
        self.complete(node, 0)
    }

    fn start(&mut self, data: Data, at: Span, anchor: usize) -> bool {
        if self.open.len() >= MAX_DEPTH {
            return self.too_deep(at);
        }
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Open {
            node: Node { data, span: at },
            anchor,
            key: None,
            keys: BTreeMap::new(),
            merged: vec![],
        });
        true
    }

    fn too_deep(&mut self, at: Span) -> bool {
        self.problem(at, format!("nested deeper than {MAX_DEPTH} levels"), None);
        false
    }

    fn waits_for_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.key.is_none() && matches!(open.node.data, Data::Map(_)))
    }

    fn set_key(&mut self, key: Key) {
        if let Some(open) = self.open.last_mut() {
            open.key = Some(key);
        }
    }

    /// A value is whole: it is a key, belongs to one, is an element, or the document.
    fn complete(&mut self, node: Node, anchor: usize) -> bool {
        if anchor != 0 {
            let (size, depth) = (size(&node), depth(&node));
            self.anchors.insert(anchor, Some((node.clone(), size, depth)));
        }
        if self.waits_for_key() {
            let key = self.key(&node);
            self.set_key(key);
            return true;
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return true;
        };
        match (&mut open.node.data, open.key.take()) {
            (Data::List(items), _) => items.push(node),
            (Data::Map(entries), Some(Key::Name(key, key_span))) => {
                entries.push(Entry { key, key_span, value: node });
            }
            (Data::Map(_), Some(Key::Merge(span))) => match node.data {
                Data::Map(_) => open.merged.push(node),
                Data::List(items) if items.iter().all(|item| matches!(item.data, Data::Map(_))) => {
                    open.merged.extend(items);
                }
                _ => self.problem(span, "`<<` takes a map or a list of maps", None),
            },
            _ => {}
        }
        true
    }

    /// Keys are strings, and each comes once.
    fn key(&mut self, node: &Node) -> Key {
        let Some(name) = node.as_str() else {
            let (message, help) = match node.raw() {
                // The parser says `~` where nothing is written.
                Some(_) if node.span.start == node.span.end => ("a key is missing before `:`".into(), None),
                Some(raw) => (
                    format!("the key `{raw}` is no string: unquoted, YAML reads {}", node.kind()),
                    Some(format!("quote it: `\"{raw}\"`")),
                ),
                None => (format!("{} cannot be a key", node.describe()), None),
            };
            self.problem(node.head_line(self.text), message, help);
            return Key::Refused;
        };
        let written = self.open.last_mut().and_then(|open| open.keys.insert(name.into(), node.span));
        if let Some(first) = written {
            self.problems.push(Problem {
                message: format!("the key `{name}` is written twice"),
                span: node.span,
                help: None,
                also: Some((first, "first written here")),
            });
            return Key::Refused;
        }
        Key::Name(name.into(), node.span)
    }

    fn scalar(&mut self, raw: &str, style: ScalarStyle, tag: Option<&Tag>, at: Span, tag_at: Span) -> Value {
        let text = || Value::String(raw.to_owned());
        let resolved = |builder: &mut Self| {
            scalar::resolve(raw).unwrap_or_else(|why| {
                builder.problem(at, format!("`{raw}` {why}"), Some(format!("quote it: `\"{raw}\"`")));
                Value::Null
            })
        };
        let Some(tag) = tag else {
            return if style == ScalarStyle::Plain { resolved(self) } else { text() };
        };
        let (wanted, value) = match tag.core_suffix() {
            Some("str") => return text(),
            None if tag.handle().is_empty() && tag.suffix() == "!" => return text(),
            Some(wanted @ ("bool" | "int" | "float" | "null")) => (wanted, resolved(self)),
            _ => {
                self.unknown_tag(tag, tag_at);
                return Value::Null;
            }
        };
        let fits = match &value {
            Value::Null => wanted == "null",
            Value::Bool(_) => wanted == "bool",
            Value::Number(number) => wanted == "float" || (wanted == "int" && !number.is_f64()),
            _ => false,
        };
        if !fits {
            self.problem(at, format!("`{raw}` is no `{}`", tag.original()), None);
        }
        value
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, wanted: &str, at: Span) {
        if let Some(tag) = tag
            && tag.core_suffix() != Some(wanted)
        {
            self.unknown_tag(tag, at);
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, at: Span) {
        self.problem(at, format!("the tag `{}` means nothing here", tag.original()), Some("leave it out".into()));
    }
}

impl Node {
    /// What YAML reads, in words.
    fn kind(&self) -> &'static str {
        match &self.data {
            Data::Scalar { value: Value::Null, .. } => "nothing",
            Data::Scalar { value: Value::Bool(_), .. } => "a boolean",
            Data::Scalar { value: Value::Number(_), .. } => "a number",
            Data::Scalar { .. } => "a string",
            Data::List(_) => "a list",
            Data::Map(_) => "an object",
        }
    }

    /// The part of this node that is on its first line.
    fn head_line(&self, text: &str) -> Span {
        let line = text.get(self.span.start..self.span.end).and_then(|text| text.lines().next()).unwrap_or_default();
        Span { end: self.span.start + line.trim_end().len(), ..self.span }
    }
}

fn children(node: &Node) -> Box<dyn Iterator<Item = &Node> + '_> {
    match &node.data {
        Data::Scalar { .. } => Box::new(std::iter::empty()),
        Data::List(items) => Box::new(items.iter()),
        Data::Map(entries) => Box::new(entries.iter().map(|entry| &entry.value)),
    }
}

/// How many values a node has, itself included.
fn size(node: &Node) -> usize {
    1 + children(node).map(size).sum::<usize>()
}

/// How many levels of lists and maps a node has.
fn depth(node: &Node) -> usize {
    match &node.data {
        Data::Scalar { .. } => 0,
        _ => 1 + children(node).map(depth).max().unwrap_or(0),
    }
}
