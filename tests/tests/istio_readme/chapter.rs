//! README's chapter, as who follows it reads it: commands and files, in the order of the text.

use std::collections::VecDeque;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");

/// What is in one fenced block, a command of it at a time.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// A line that is typed, and in a `console` block what stands below it.
    Command { line: String, prints: Option<String> },
    /// The text of a `yaml` block.
    Yaml(String),
}

/// What is left to do of a chapter.
#[derive(Debug)]
pub struct Chapter {
    left: VecDeque<Piece>,
}

/// A command as README has it.
#[derive(Debug)]
pub struct Typed {
    pub line: String,
    /// What README says that it prints, where it says so.
    pub prints: Option<String>,
}

impl Chapter {
    /// Reads the chapter `## NAME`, with its parts. Panics at a fenced block of another language than `sh`, `console` and
    /// `yaml`: nobody would know how to follow it.
    pub fn read(name: &str) -> Self {
        let readme = std::fs::read_to_string(README).unwrap();
        let text = readme.split(&format!("\n## {name}\n")).nth(1).unwrap_or_else(|| panic!("no chapter `{name}`"));
        let text = text.split("\n## ").next().unwrap_or_default();
        let mut left = VecDeque::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(language) = line.trim_start().strip_prefix("```") else { continue };
            let block: Vec<&str> = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
            match language {
                "yaml" => left.push_back(Piece::Yaml(block.join("\n") + "\n")),
                "sh" => left.extend(typed(&block)),
                "console" => left.extend(shown(&block)),
                other => panic!("README has a block in `{other}` here: let this test follow it\n{}", block.join("\n")),
            }
        }
        Self { left }
    }

    /// The next piece, which is a command that begins with these words. Panics when it is something else: README has a
    /// command that this test does not know, or lost one.
    pub fn command(&mut self, begins: &str) -> Typed {
        match self.left.pop_front() {
            Some(Piece::Command { line, prints }) if line.starts_with(begins) => Typed { line, prints },
            other => panic!("README goes on with {other:?}, and this test knows only `{begins} …` here"),
        }
    }

    /// The next piece, which is YAML with this field at its top. Panics when it is something else.
    pub fn yaml(&mut self, field: &str) -> String {
        match self.left.pop_front() {
            Some(Piece::Yaml(text)) if text.starts_with(&format!("{field}:")) => text,
            other => panic!("README goes on with {other:?}, and this test knows only YAML of `{field}` here"),
        }
    }

    /// Panics when something is left: README has commands that this test forgets.
    pub fn end(self) {
        assert!(self.left.is_empty(), "README goes on with what this test does not follow: {:?}", self.left);
    }
}

/// Commands of a `sh` block: a line each, or several with `\` at their ends; comments are none.
fn typed(block: &[&str]) -> Vec<Piece> {
    let text = block.join("\n").replace("\\\n", "");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| Piece::Command { line: line.into(), prints: None }).collect()
}

/// Commands of a `console` block, each with what it prints.
fn shown(block: &[&str]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for line in block {
        match (line.strip_prefix("$ "), pieces.last_mut()) {
            (Some(line), _) => pieces.push(Piece::Command { line: line.into(), prints: Some(String::new()) }),
            (None, Some(Piece::Command { prints: Some(prints), .. })) => {
                prints.push_str(line);
                prints.push('\n');
            }
            (None, _) => panic!("a console block begins with `{line}` and not with a command"),
        }
    }
    pieces
}
