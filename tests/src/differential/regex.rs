//! Small regular expressions that can be sampled: what a request needs to lie just inside or just outside of one.

use crate::rng::Rng;

/// A regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Regex {
    /// These characters.
    Text(String),
    /// One of these characters, as a class.
    Class(&'static str, &'static str),
    /// One after the other.
    All(Vec<Regex>),
    /// Any of these.
    Any(Vec<Regex>),
    /// So many: `?`, `*` or `+`.
    Many(Box<Regex>, char),
    /// A group that captures.
    Group(Box<Regex>),
    /// All of it without regard to case.
    NoCase(Box<Regex>),
}

/// Classes with some of their characters.
const CLASSES: [(&str, &str); 6] =
    [("[a-c]", "abc"), ("[^/]", "ab1.-"), ("\\d", "0189"), (".", "ab/1"), ("\\w", "aZ_9"), ("[ab1]", "ab1")];

impl Regex {
    /// One for paths: it begins with a slash mostly.
    pub fn of_path(rng: &mut Rng) -> Self {
        let parts = (0..=rng.below(3)).map(|_| {
            let segment = Self::part(rng, &["a", "ab", "api", "v1", "b", "A"], 2);
            Self::All(vec![Self::Text("/".into()), segment])
        });
        let mut parts: Vec<_> = parts.collect();
        if rng.chance(30) {
            parts.push(Self::Many(Box::new(Self::Class(".", "ab/1")), '*'));
        }
        Self::cased(Self::All(parts), rng)
    }

    /// One for values of headers, query parameters and the like, around these words.
    pub fn of_value(rng: &mut Rng, words: &[&'static str]) -> Self {
        let parts = (0..=rng.below(2)).map(|_| Self::part(rng, words, 2)).collect();
        Self::cased(Self::All(parts), rng)
    }

    fn cased(regex: Self, rng: &mut Rng) -> Self {
        if rng.chance(12) { Self::NoCase(Box::new(regex)) } else { regex }
    }

    fn part(rng: &mut Rng, words: &[&'static str], depth: usize) -> Self {
        let word = |rng: &mut Rng| Self::Text((rng.pick(words)).to_owned());
        if depth == 0 {
            return word(rng);
        }
        match rng.below(7) {
            0 | 1 => word(rng),
            2 => Self::class(rng),
            3 => Self::Any((0..2 + rng.below(2)).map(|_| Self::part(rng, words, depth - 1)).collect()),
            4 => Self::Group(Box::new(Self::part(rng, words, depth - 1))),
            5 => Self::Many(Box::new(Self::class(rng)), rng.pick(&['?', '*', '+'])),
            _ => Self::All(vec![word(rng), Self::part(rng, words, depth - 1)]),
        }
    }

    fn class(rng: &mut Rng) -> Self {
        let (class, characters) = rng.pick(&CLASSES);
        Self::Class(class, characters)
    }

    /// How it is written.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.replace('.', "\\."),
            Self::Class(class, _) => (*class).to_owned(),
            Self::All(parts) => parts.iter().map(Self::text).collect(),
            Self::Any(parts) => format!("(?:{})", parts.iter().map(Self::text).collect::<Vec<_>>().join("|")),
            Self::Many(one, count) => match **one {
                Self::Class(..) | Self::Group(_) | Self::Any(_) => format!("{}{count}", one.text()),
                _ => format!("(?:{}){count}", one.text()),
            },
            Self::Group(one) => format!("({})", one.text()),
            Self::NoCase(one) => format!("(?i){}", one.text()),
        }
    }

    /// Something that it matches.
    pub fn sample(&self, rng: &mut Rng) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Class(_, characters) => char::from(rng.pick(characters.as_bytes())).to_string(),
            Self::All(parts) => parts.iter().map(|part| part.sample(rng)).collect(),
            Self::Any(parts) => rng.pick(parts).sample(rng),
            Self::Many(one, count) => {
                let (least, more) = match count {
                    '?' => (0, 1),
                    '*' => (0, 3),
                    _ => (1, 2),
                };
                (0..least + rng.below(more + 1)).map(|_| one.sample(rng)).collect()
            }
            Self::Group(one) => one.sample(rng),
            Self::NoCase(one) => {
                let sample = one.sample(rng);
                if rng.chance(50) { sample.to_ascii_uppercase() } else { sample }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use switchyard_filter::decision::Action;
    use switchyard_filter::draw::Draws;
    use switchyard_filter::request::Request;
    use switchyard_filter::{compile_json, decide};

    #[test]
    fn it_matches_its_own_samples() {
        let mut rng = Rng::of(1, 0);
        for number in 0..300 {
            let regex =
                if number % 2 == 0 { Regex::of_path(&mut rng) } else { Regex::of_value(&mut rng, &["a", "b.c"]) };
            let sample = regex.sample(&mut rng);
            let rule = json!({"match": [{"headers": {"x": {"regex": regex.text()}}}], "route": [{"destination": {"host": "h"}}]});
            let policy = json!({"virtualServices": [{"name": "a", "hosts": ["a"], "http": [rule]}]});
            let policy = compile_json(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
            let lines: [(&[u8], &[u8]); 3] = [(b":authority", b"a"), (b":path", b"/"), (b"x", sample.as_bytes())];
            let request = Request::new(&lines, None);
            let decision = decide(&policy, &request, &Draws::default());
            assert!(matches!(decision.action, Action::Forward(_)), "{} and {sample}: {decision:?}", regex.text());
        }
    }
}
