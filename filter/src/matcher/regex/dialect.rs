//! RE2's dialect in that of `regex-syntax`.
//!
//! The two agree on nearly everything that both accept. Here is the rest: what means something else is refused, what is
//! ASCII in RE2 is written out, and so is ignored case, since Unicode's tables would cost a tenth of the .wasm.

use regex_syntax::ast::{self, Ast, ClassPerlKind, ClassSetItem, Flag, FlagsItemKind};

/// RE2's limit on a counted repetition, and on the product of nested ones.
const MAX_REPETITION: u32 = 1000;
/// Deeper groups are refused, so that no pattern overflows the stack.
const NEST_LIMIT: u32 = 100;

/// The pattern as `regex-syntax` reads it in Unicode mode; or what RE2 would not take, or what we do not.
pub fn translate(pattern: &str) -> Result<String, String> {
    if pattern.contains("\\Q") || pattern.contains("\\C") {
        return Err(format!("regex `{pattern}`: `\\Q…\\E` and `\\C` are not supported: escape each character by `\\`"));
    }
    let ast =
        ast::parse::ParserBuilder::new().nest_limit(NEST_LIMIT).build().parse(pattern).map_err(|e| {
            format!("regex `{pattern}` is not valid at character {}: {}", e.span().start.column, e.kind())
        })?;
    let translator = Translator { pattern, edits: Vec::new(), ignores_case: vec![false], repetitions: vec![1] };
    let edits = ast::visit(&ast, translator).map_err(|reason| format!("regex `{pattern}`: {reason}"))?;
    let mut written = String::with_capacity(pattern.len());
    let mut rest = 0;
    for (start, end, instead) in edits {
        written.push_str(pattern.get(rest..start).unwrap_or_default());
        written.push_str(&instead);
        rest = end;
    }
    written.push_str(pattern.get(rest..).unwrap_or_default());
    Ok(written)
}

/// Walks a pattern: writes out what RE2 reads otherwise, refuses what it does not have.
struct Translator<'p> {
    pattern: &'p str,
    /// Byte ranges and what stands there instead, in order.
    edits: Vec<(usize, usize, String)>,
    /// Whether case is ignored, by group.
    ignores_case: Vec<bool>,
    /// The products of counted repetitions.
    repetitions: Vec<u32>,
}

impl Translator<'_> {
    fn edit(&mut self, span: &ast::Span, instead: impl Into<String>) {
        self.edits.push((span.start.offset, span.end.offset, instead.into()));
    }

    fn text(&self, span: &ast::Span) -> &str {
        self.pattern.get(span.start.offset..span.end.offset).unwrap_or_default()
    }

    fn ignores_case(&self) -> bool {
        self.ignores_case.last().copied().unwrap_or(false)
    }

    fn perl(&mut self, class: &ast::ClassPerl) {
        // RE2: \s is [\t\n\f\r ], without \v.
        let instead = match (&class.kind, class.negated) {
            (ClassPerlKind::Digit, false) => "[0-9]",
            (ClassPerlKind::Digit, true) => "[^0-9]",
            (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
            (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
            (ClassPerlKind::Space, false) => "[\\t\\n\\f\\r ]",
            (ClassPerlKind::Space, true) => "[^\\t\\n\\f\\r ]",
        };
        self.edit(&class.span, instead);
    }

    /// Takes flags over, without `i`, which is written out: `before` and `after` them where any other is left.
    fn flags(&mut self, flags: &ast::Flags, span: &ast::Span, around: [&str; 2]) -> Result<(), String> {
        let mut left = String::new();
        let mut negated = false;
        for item in &flags.items {
            let (refused, kept) = match &item.kind {
                FlagsItemKind::Negation => {
                    negated = true;
                    continue;
                }
                FlagsItemKind::Flag(Flag::CaseInsensitive) => {
                    if let Some(ignores_case) = self.ignores_case.last_mut() {
                        *ignores_case = !negated;
                    }
                    continue;
                }
                FlagsItemKind::Flag(Flag::MultiLine) => ("", 'm'),
                FlagsItemKind::Flag(Flag::DotMatchesNewLine) => ("", 's'),
                FlagsItemKind::Flag(Flag::SwapGreed) => ("", 'U'),
                FlagsItemKind::Flag(Flag::IgnoreWhitespace) => ("x", ' '),
                FlagsItemKind::Flag(Flag::Unicode) => ("u", ' '),
                FlagsItemKind::Flag(Flag::CRLF) => ("R", ' '),
            };
            if !refused.is_empty() {
                return Err(format!("RE2 has no flag `{refused}`, only `i`, `m`, `s` and `U`"));
            }
            if negated && !left.contains('-') {
                left.push('-');
            }
            left.push(kept);
        }
        let instead = if left.is_empty() { String::new() } else { [around[0], &left, around[1]].concat() };
        self.edit(span, instead);
        Ok(())
    }

    /// A character in any case: RE2 folds ASCII letters, and two letters to signs beyond ASCII.
    fn literal(&mut self, literal: &ast::Literal, in_class: bool) -> Result<(), String> {
        refuse_literal(literal)?;
        let c = literal.c;
        if !self.ignores_case() || !c.is_alphabetic() {
            return Ok(());
        }
        if !c.is_ascii() {
            return Err(format!("ignoring the case of `{c}` is not supported: write both cases in `[…]`"));
        }
        let cases = folded(c);
        self.edit(&literal.span, if in_class { cases } else { format!("[{cases}]") });
        Ok(())
    }

    /// A range in any case: with what its letters are in the other one.
    fn range(&mut self, range: &ast::ClassSetRange) -> Result<(), String> {
        refuse_literal(&range.start)?;
        refuse_literal(&range.end)?;
        if !self.ignores_case() {
            return Ok(());
        }
        let (start, end) = (range.start.c, range.end.c);
        if !end.is_ascii() {
            return Err("a range beyond ASCII is not supported where case is ignored: write both cases".into());
        }
        let mut text = self.text(&range.span).to_owned();
        for c in (b'A'..=b'Z').chain(b'a'..=b'z').map(char::from).filter(|c| (start..=end).contains(c)) {
            text.push_str(&folded(c));
        }
        self.edit(&range.span, text);
        Ok(())
    }

    fn repetition(&mut self, repetition: &ast::Repetition) -> Result<(), String> {
        if matches!(*repetition.ast, Ast::Repetition(_)) {
            return Err(format!(
                "RE2 takes no repetition of a repetition: put the first into `(?:…)`, or write `{}` once",
                self.text(&repetition.op.span)
            ));
        }
        let most = match &repetition.op.kind {
            ast::RepetitionKind::Range(
                ast::RepetitionRange::Exactly(n)
                | ast::RepetitionRange::AtLeast(n)
                | ast::RepetitionRange::Bounded(_, n),
            ) => *n,
            _ => 1,
        };
        if self.text(&repetition.op.span).contains(char::is_whitespace) {
            return Err("RE2 reads `{` with a space in it as itself: write `\\{`, or leave the space out".into());
        }
        let product = self.repetitions.last().copied().unwrap_or(1).saturating_mul(most.max(1));
        if product > MAX_REPETITION {
            return Err(format!("a repetition of {product} is more than RE2's {MAX_REPETITION}"));
        }
        self.repetitions.push(product);
        Ok(())
    }
}

/// A letter in both cases, and what else RE2 takes for it, as it stands in a class.
fn folded(c: char) -> String {
    let sign = match c.to_ascii_lowercase() {
        'k' => "\\x{212A}",
        's' => "\\x{17F}",
        _ => "",
    };
    format!("{}{}{sign}", c.to_ascii_lowercase(), c.to_ascii_uppercase())
}

impl ast::Visitor for Translator<'_> {
    type Output = Vec<(usize, usize, String)>;
    type Err = String;

    fn finish(self) -> Result<Self::Output, String> {
        Ok(self.edits)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Flags(set) => self.flags(&set.flags, &set.span, ["(?", ")"]),
            Ast::Group(group) => {
                self.ignores_case.push(self.ignores_case());
                match &group.kind {
                    ast::GroupKind::NonCapturing(flags) => self.flags(flags, &flags.span, ["", ""]),
                    ast::GroupKind::CaptureName { .. } | ast::GroupKind::CaptureIndex(_) => Ok(()),
                }
            }
            Ast::ClassUnicode(_) => Err(unicode_class()),
            Ast::ClassPerl(class) => {
                self.perl(class);
                Ok(())
            }
            Ast::ClassBracketed(class) if self.text(&class.span).trim_start_matches(['[', '^']).starts_with("--") => {
                Err("`[--…]` is a range in RE2: write `\\-`".into())
            }
            Ast::Repetition(repetition) => self.repetition(repetition),
            Ast::Assertion(assertion) => {
                match assertion.kind {
                    ast::AssertionKind::WordBoundary => self.edit(&assertion.span, "(?-u:\\b)"),
                    ast::AssertionKind::NotWordBoundary => self.edit(&assertion.span, "(?-u:\\B)"),
                    ast::AssertionKind::StartLine
                    | ast::AssertionKind::EndLine
                    | ast::AssertionKind::StartText
                    | ast::AssertionKind::EndText => {}
                    _ => return Err("RE2 has no `\\b{…}`, `\\<` and `\\>`: write `\\b`".into()),
                }
                Ok(())
            }
            Ast::Literal(literal) => self.literal(literal, false),
            _ => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Group(_) => {
                self.ignores_case.pop();
            }
            Ast::Repetition(_) => {
                self.repetitions.pop();
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), String> {
        match item {
            ClassSetItem::Unicode(_) => Err(unicode_class()),
            ClassSetItem::Perl(class) => {
                self.perl(class);
                Ok(())
            }
            // In RE2 the second `[` of `[a[b]` is a literal.
            ClassSetItem::Bracketed(_) => Err("a `[` inside `[…]` means itself in RE2: write `\\[`".into()),
            ClassSetItem::Ascii(class) if self.ignores_case() => match class.kind {
                ast::ClassAsciiKind::Lower | ast::ClassAsciiKind::Upper => {
                    let negated = if class.negated { "^" } else { "" };
                    self.edit(&class.span, format!("[:{negated}alpha:]"));
                    Ok(())
                }
                _ => Ok(()),
            },
            ClassSetItem::Literal(literal) => self.literal(literal, true),
            ClassSetItem::Range(range) => self.range(range),
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), String> {
        Err("RE2 has no `&&`, `--` and `~~` inside `[…]`: escape them by `\\`".into())
    }
}

fn unicode_class() -> String {
    "Unicode classes (`\\p{…}`) are not supported: write the ranges out".into()
}

fn refuse_literal(literal: &ast::Literal) -> Result<(), String> {
    match literal.kind {
        ast::LiteralKind::HexFixed(ast::HexLiteralKind::UnicodeShort | ast::HexLiteralKind::UnicodeLong)
        | ast::LiteralKind::HexBrace(ast::HexLiteralKind::UnicodeShort | ast::HexLiteralKind::UnicodeLong) => {
            Err("RE2 has no `\\u` and `\\U`: write `\\x{…}`".into())
        }
        _ => Ok(()),
    }
}
