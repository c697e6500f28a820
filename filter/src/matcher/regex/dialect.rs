//! RE2's dialect in that of `regex-syntax`.
//!
//! The two agree on nearly everything that both accept. Here is the rest: what means something else is refused, what is
//! ASCII in RE2 is written out. Case-insensitive patterns fold ASCII letters only: the Unicode tables would cost a tenth
//! of the .wasm, for `(?i)k` to match the Kelvin sign too.

use regex_syntax::ast::{self, Ast, ClassPerlKind, ClassSetItem, Flag, FlagsItemKind};

/// RE2's limit on a counted repetition.
const MAX_REPETITION: u32 = 1000;
/// Deeper groups are refused, so that no pattern overflows the stack.
const NEST_LIMIT: u32 = 100;

/// A pattern as `regex-syntax` reads it.
pub struct Dialect {
    /// The pattern, with ASCII classes written out.
    pub pattern: String,
    /// Whether it is read in Unicode mode.
    pub unicode: bool,
}

/// Translates a pattern, or says what RE2 would not take, or what we do not.
pub fn translate(pattern: &str) -> Result<Dialect, String> {
    if pattern.contains("\\Q") || pattern.contains("\\C") {
        return Err(format!("regex `{pattern}`: `\\Q…\\E` and `\\C` are not supported: escape each character by `\\`"));
    }
    let ast =
        ast::parse::ParserBuilder::new().nest_limit(NEST_LIMIT).build().parse(pattern).map_err(|e| {
            format!("regex `{pattern}` is not valid at character {}: {}", e.span().start.column, e.kind())
        })?;
    let finder = ast::visit(&ast, Finder::default()).map_err(|reason| format!("regex `{pattern}`: {reason}"))?;
    let mut ascii = finder.ascii;
    if finder.ignores_case {
        ascii.extend(finder.dots.into_iter().map(|(start, end)| (start, end, "(?u:.)")));
        ascii.sort_unstable();
    }
    let mut written = String::with_capacity(pattern.len());
    let mut rest = 0;
    for (start, end, instead) in ascii {
        written.push_str(pattern.get(rest..start).unwrap_or_default());
        written.push_str(instead);
        rest = end;
    }
    written.push_str(pattern.get(rest..).unwrap_or_default());
    Ok(Dialect { pattern: written, unicode: !finder.ignores_case })
}

/// Walks a pattern: collects what is ASCII in RE2, refuses what RE2 does not have.
#[derive(Default)]
struct Finder {
    /// Byte ranges and what stands there instead, in order.
    ascii: Vec<(usize, usize, &'static str)>,
    /// Byte ranges of dots: one code point each, also where the rest is not in Unicode mode.
    dots: Vec<(usize, usize)>,
    ignores_case: bool,
}

impl Finder {
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
        self.ascii.push((class.span.start.offset, class.span.end.offset, instead));
    }
}

impl Finder {
    fn flags(&mut self, flags: &ast::Flags) -> Result<(), String> {
        self.ignores_case |= flags.items.iter().any(|item| item.kind == FlagsItemKind::Flag(Flag::CaseInsensitive));
        refuse_flags(flags)
    }
}

impl ast::Visitor for Finder {
    type Output = Self;
    type Err = String;

    fn finish(self) -> Result<Self, String> {
        Ok(self)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Flags(set) => self.flags(&set.flags),
            Ast::Dot(span) => {
                self.dots.push((span.start.offset, span.end.offset));
                Ok(())
            }
            Ast::Group(group) => match &group.kind {
                ast::GroupKind::NonCapturing(flags) => self.flags(flags),
                ast::GroupKind::CaptureName { .. } | ast::GroupKind::CaptureIndex(_) => Ok(()),
            },
            Ast::ClassUnicode(_) => Err(unicode_class()),
            Ast::ClassPerl(class) => {
                self.perl(class);
                Ok(())
            }
            Ast::Repetition(repetition) => refuse_repetition(&repetition.op.kind),
            Ast::Assertion(assertion) => {
                let (start, end) = (assertion.span.start.offset, assertion.span.end.offset);
                match assertion.kind {
                    ast::AssertionKind::WordBoundary => self.ascii.push((start, end, "(?-u:\\b)")),
                    ast::AssertionKind::NotWordBoundary => self.ascii.push((start, end, "(?-u:\\B)")),
                    ast::AssertionKind::StartLine
                    | ast::AssertionKind::EndLine
                    | ast::AssertionKind::StartText
                    | ast::AssertionKind::EndText => {}
                    _ => return Err("RE2 has no `\\b{…}`, `\\<` and `\\>`: write `\\b`".into()),
                }
                Ok(())
            }
            Ast::Literal(literal) => refuse_literal(literal),
            _ => Ok(()),
        }
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
            ClassSetItem::Literal(literal) => refuse_literal(literal),
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

fn refuse_flags(flags: &ast::Flags) -> Result<(), String> {
    for item in &flags.items {
        let refused = match &item.kind {
            FlagsItemKind::Flag(Flag::IgnoreWhitespace) => "x",
            FlagsItemKind::Flag(Flag::Unicode) => "u",
            FlagsItemKind::Flag(Flag::CRLF) => "R",
            FlagsItemKind::Negation | FlagsItemKind::Flag(_) => continue,
        };
        return Err(format!("RE2 has no flag `{refused}`, only `i`, `m`, `s` and `U`"));
    }
    Ok(())
}

fn refuse_repetition(kind: &ast::RepetitionKind) -> Result<(), String> {
    let most = match kind {
        ast::RepetitionKind::Range(
            ast::RepetitionRange::Exactly(n) | ast::RepetitionRange::AtLeast(n) | ast::RepetitionRange::Bounded(_, n),
        ) => *n,
        _ => 0,
    };
    if most > MAX_REPETITION {
        return Err(format!("a repetition of {most} is more than RE2's {MAX_REPETITION}"));
    }
    Ok(())
}
