//! Which routes can take a request at all: those whose path, and whose first text of a header or query parameter, begin as
//! the request's do. With it, thousands of rules are not compared pair by pair.

use super::language::Language;
use super::point::{Key, Point};
use super::site::Site;
use std::collections::HashMap;
use switchyard_filter::block::{Ask, Block};
use switchyard_filter::matcher::text::TextMatch;
use switchyard_filter::policy::Route;

/// Routes by what they begin with, in lower case.
#[derive(Default)]
pub struct Index<'p> {
    paths: HashMap<Vec<u8>, Node<'p>>,
    longest: usize,
}

/// Routes by the beginning of a text.
type ByText = HashMap<Vec<u8>, Vec<usize>>;

/// Routes of one beginning of a path.
#[derive(Default)]
struct Node<'p> {
    /// Those that ask for no text.
    any: Vec<usize>,
    /// The others, by the beginning of their first text.
    by: Vec<(Key<'p>, ByText)>,
}

impl<'p> Index<'p> {
    /// Of the routes of a site.
    pub fn new(routes: &'p [Route]) -> Self {
        let mut index = Self::default();
        for (at, route) in routes.iter().enumerate() {
            let first = first_text(&route.block);
            for beginning in Language::of_path(&route.block.path).folded_beginnings() {
                index.longest = index.longest.max(beginning.len());
                index.paths.entry(beginning).or_default().add(at, first.as_ref());
            }
        }
        index
    }

    /// Routes before `end` that may take a request, in order.
    pub fn candidates(&self, site: &Site<'p>, point: &Point<'p>, end: usize) -> Vec<usize> {
        let mut found = vec![];
        let mut take = |routes: &Vec<usize>| found.extend(routes.iter().take_while(|route| **route < end));
        for node in beginnings(&point.path, self.longest).filter_map(|beginning| self.paths.get(&beginning)) {
            take(&node.any);
            for (key, texts) in &node.by {
                if let Some(value) = value(site, point, *key) {
                    beginnings(&value, value.len()).filter_map(|text| texts.get(&text)).for_each(&mut take);
                }
            }
        }
        found.sort_unstable();
        // One that can begin in several ways may be there as often.
        found.dedup();
        found
    }
}

impl<'p> Node<'p> {
    fn add(&mut self, route: usize, first: Option<&(Key<'p>, Vec<Vec<u8>>)>) {
        let Some((key, beginnings)) = first else {
            self.any.push(route);
            return;
        };
        let slot = self.by.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
            self.by.push((*key, HashMap::new()));
            self.by.len() - 1
        });
        let Some((_, texts)) = self.by.get_mut(slot) else { return };
        for text in beginnings {
            texts.entry(text.clone()).or_default().push(route);
        }
    }
}

/// Every beginning of a text, up to a length, in lower case.
fn beginnings(text: &[u8], longest: usize) -> impl Iterator<Item = Vec<u8>> {
    let text = text.to_ascii_lowercase();
    (0..=text.len().min(longest)).map(move |end| text.get(..end).unwrap_or_default().to_vec())
}

/// The first header or query parameter that must be there, and what it can begin with.
fn first_text(block: &Block) -> Option<(Key<'_>, Vec<Vec<u8>>)> {
    let any = || vec![vec![]];
    let text = |text| Language::of_text(text).map_or_else(any, |language| language.folded_beginnings());
    let mut texts = block.conditions.iter().filter_map(|condition| match &condition.ask {
        // What a request has without being told is not in a point.
        Ask::Header(header) if header.without || header.name.starts_with(':') => None,
        Ask::Header(header) => Some((Key::Header(&header.name), &header.text)),
        Ask::Query(query) => Some((Key::Query(&query.name), &query.text)),
        Ask::SourceIp(_) | Ask::Peer(_) => None,
    });
    let exact = texts.clone().find(|(_, text)| matches!(text, TextMatch::Exact(_)));
    exact.or_else(|| texts.next()).map(|(key, written)| (key, text(written)))
}

/// The value of a header or query parameter, be it a tag's.
fn value(site: &Site<'_>, point: &Point<'_>, key: Key<'_>) -> Option<Vec<u8>> {
    if let Key::Header(name) = key
        && let Some(at) = site.policy.tags().iter().position(|tag| *tag.header == *name)
        && let Some(said) = point.tags.get(at).copied().flatten()
    {
        return Some(said.as_bytes().to_vec());
    }
    point.values.iter().find(|(known, _)| **known == key).and_then(|(_, value)| value.clone())
}
