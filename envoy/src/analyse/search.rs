//! The shortest text that some languages have and others do not: a walk through all their automata at once.

use super::alphabet::{Alphabet, preferred};
use super::language::Language;
use super::walk::{State, TooLarge, Walker};
use std::collections::{BTreeMap, HashSet};

/// How many states one search may see.
const SEARCH: u64 = 20_000;

/// What an analysis may spend; a count and no time, so that equal manifests get equal answers.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// States of products of automata that may still be seen.
    pub states: u64,
    /// Conditions of rules that may still be tried on a request.
    pub tries: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { states: 3_000_000, tries: 4_000_000 }
    }
}

/// A language, and whether the text must be in it or must not.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The language.
    pub language: Language<'a>,
    /// Whether the text is in it.
    pub inside: bool,
}

impl<'a> Part<'a> {
    /// A language that the text must be in.
    pub fn inside(language: Language<'a>) -> Self {
        Self { language, inside: true }
    }
}

/// The shortest text of an alphabet that fulfils all parts; `None` when there is none.
///
/// # Errors
/// It takes more states than the budget has.
pub fn find(alphabet: Alphabet, parts: &[Part<'_>], budget: &mut Budget) -> Result<Option<Vec<u8>>, TooLarge> {
    let fulfils = |text: &[u8]| parts.iter().all(|part| part.language.has(text) == part.inside);
    let literals = parts.iter().filter(|part| part.inside);
    let beginning = literals.clone().map(|part| part.language.beginning()).max_by_key(Vec::len).unwrap_or_default();
    if !beginning.iter().all(|byte| alphabet.has(*byte)) {
        return Ok(None);
    }
    if fulfils(&beginning) {
        return Ok(Some(beginning));
    }
    if literals.clone().any(|part| matches!(part.language, Language::Exact(_, false))) {
        return Ok(None);
    }
    Product::new(alphabet, parts)?.find(beginning, budget)
}

struct Product<'a> {
    walkers: Vec<(Walker<'a>, bool)>,
    /// One byte for all that no automaton tells apart.
    bytes: Vec<u8>,
}

/// A state that was seen, how it was come to, and after which byte.
struct Step {
    at: Vec<State>,
    from: Option<(usize, u8)>,
}

impl<'a> Product<'a> {
    fn new(alphabet: Alphabet, parts: &[Part<'a>]) -> Result<Self, TooLarge> {
        let walkers = parts.iter().map(|part| Ok((Walker::new(part.language)?, part.inside)));
        let walkers: Vec<_> = walkers.collect::<Result<_, TooLarge>>()?;
        // Classes are refined by one automaton after the other.
        let mut classes = [0_u8; 256];
        for (walker, _) in &walkers {
            let mut refined: BTreeMap<(u8, u8), u8> = BTreeMap::new();
            for byte in 0..=u8::MAX {
                let Some(class) = classes.get_mut(usize::from(byte)) else { continue };
                let next = u8::try_from(refined.len()).unwrap_or(u8::MAX);
                *class = *refined.entry((*class, walker.class(byte))).or_insert(next);
            }
        }
        let mut known = [false; 256];
        let mut bytes = vec![];
        for byte in preferred().filter(|byte| alphabet.has(*byte)) {
            let class = classes.get(usize::from(byte)).copied().unwrap_or_default();
            if let Some(known) = known.get_mut(usize::from(class)).filter(|known| !**known) {
                *known = true;
                bytes.push(byte);
            }
        }
        Ok(Self { walkers, bytes })
    }

    fn find(&mut self, beginning: Vec<u8>, budget: &mut Budget) -> Result<Option<Vec<u8>>, TooLarge> {
        let mut start = self.walkers.iter_mut().map(|(walker, _)| walker.start()).collect::<Result<Vec<_>, _>>()?;
        for byte in &beginning {
            start = self.next(&start, *byte)?;
        }
        let mut steps = vec![Step { at: start.clone(), from: None }];
        let mut seen = HashSet::from([start]);
        let most = SEARCH.min(budget.states);
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            let here = step.at.clone();
            if self.accepts(&here)? {
                return Ok(Some(spell(beginning, &steps, at)));
            }
            for index in 0..self.bytes.len() {
                let Some(byte) = self.bytes.get(index).copied() else { break };
                budget.states = budget.states.checked_sub(1).ok_or(TooLarge)?;
                let next = self.next(&here, byte)?;
                if self.is_hopeless(&next) || seen.contains(&next) {
                    continue;
                }
                if steps.len() as u64 >= most {
                    return Err(TooLarge);
                }
                seen.insert(next.clone());
                steps.push(Step { at: next, from: Some((at, byte)) });
            }
            at += 1;
        }
        Ok(None)
    }

    fn next(&mut self, from: &[State], byte: u8) -> Result<Vec<State>, TooLarge> {
        self.walkers.iter_mut().zip(from).map(|((walker, _), at)| walker.next(*at, byte)).collect()
    }

    fn accepts(&mut self, here: &[State]) -> Result<bool, TooLarge> {
        for ((walker, inside), at) in self.walkers.iter_mut().zip(here) {
            if walker.accepts(*at)? != *inside {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether nothing that goes on from here fulfils all parts.
    fn is_hopeless(&self, here: &[State]) -> bool {
        let lost = |((_, inside), at): (&(Walker<'a>, bool), &State)| {
            matches!((inside, at), (true, State::Dead) | (false, State::Full))
        };
        self.walkers.iter().zip(here).any(lost)
    }
}

/// The text that leads to a step.
fn spell(mut text: Vec<u8>, steps: &[Step], mut at: usize) -> Vec<u8> {
    let beginning = text.len();
    while let Some((from, byte)) = steps.get(at).and_then(|step| step.from) {
        text.push(byte);
        at = from;
    }
    text.get_mut(beginning..).unwrap_or_default().reverse();
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard_filter::error::At;
    use switchyard_filter::matcher::regex::Regex;

    fn shortest(inside: &[&str], outside: &[&str]) -> Option<String> {
        let regex = |pattern: &&str| Regex::compile(pattern, &mut At::root()).expect("right");
        let inside: Vec<_> = inside.iter().map(regex).collect();
        let outside: Vec<_> = outside.iter().map(regex).collect();
        let parts = inside
            .iter()
            .map(|regex| (regex, true))
            .chain(outside.iter().map(|regex| (regex, false)))
            .map(|(regex, inside)| Part { language: Language::Regex(regex), inside });
        let found = find(Alphabet::Path, &parts.collect::<Vec<_>>(), &mut Budget::default()).expect("small");
        found.map(|text| String::from_utf8(text).expect("ASCII"))
    }

    #[test]
    fn the_shortest_text_of_a_difference_is_found() {
        for (inside, outside, expected) in [
            (&["/a.*"][..], &["/a"][..], Some("/aa")),
            (&["/a.*"], &["/ab?.*"], None),
            (&["/(x|y)"], &["/x"], Some("/y")),
            (&["/(x|y)"], &["/x", "/y"], None),
            (&["/[0-9]+"], &["/[0-9]", "/[0-9]{2}"], Some("/000")),
            (&["(?i)/api"], &["/api", "/API"], Some("/apI")),
            (&["/.*z", "/a.*"], &[], Some("/az")),
            (&["/a\\?.*"], &[], None),
            (&["/.*"], &["[!-~]*"], None),
            (&["/a", "/b"], &[], None),
            (&["/b\\B."], &[], Some("/ba")),
        ] {
            assert_eq!(shortest(inside, outside).as_deref(), expected, "{inside:?} without {outside:?}");
        }
    }

    #[test]
    fn literals_and_regexes_are_compared_alike() {
        let digits = Regex::compile("/v[12]/.*", &mut At::root()).expect("right");
        let inside = |language| Part { language, inside: true };
        let outside = |language| Part { language, inside: false };
        let found = |parts: &[Part<'_>]| find(Alphabet::Path, parts, &mut Budget::default()).expect("small");
        let [one, two] = [&b"/v1/"[..], b"/v2/"].map(|text| Language::Prefix(text, false));
        assert_eq!(found(&[inside(one), outside(Language::Regex(&digits))]), None);
        assert_eq!(found(&[inside(Language::Regex(&digits)), outside(one), outside(two)]), None);
        assert_eq!(found(&[inside(Language::Regex(&digits)), outside(one)]), Some(b"/v2/".to_vec()));
        let loose = Language::Prefix(b"/V1/", true);
        assert_eq!(found(&[inside(one), outside(loose)]), None);
        assert_eq!(found(&[inside(loose), outside(one)]), Some(b"/V1/".to_vec()));
        assert_eq!(found(&[inside(Language::Exact(b"/v1/", false)), outside(one)]), None);
    }

    #[test]
    fn what_takes_too_long_is_not_decided() {
        // The n-th byte from the end: 2^n states.
        let far = Regex::compile("/(a|b)*a(a|b){18}", &mut At::root()).expect("right");
        let all = Regex::compile("/(a|b)*", &mut At::root()).expect("right");
        let farther = Regex::compile("/(a|b)*b(a|b){18}", &mut At::root()).expect("right");
        let parts = [(&all, true), (&far, false), (&farther, false)]
            .map(|(regex, inside)| Part { language: Language::Regex(regex), inside });
        let long = Regex::compile("/(a|b){30}", &mut At::root()).expect("right");
        let parts = [parts[0], parts[1], parts[2], Part::inside(Language::Regex(&long))];
        assert_eq!(find(Alphabet::Path, &parts, &mut Budget::default()), Err(TooLarge));
    }
}
