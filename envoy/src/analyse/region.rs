//! Requests that fulfil some conditions and not others, and one of them.

use super::alphabet::Alphabet;
use super::language::Language;
use super::point::{Key, Point};
use super::search::{Budget, Part, find};
use super::site::{Says, Site};
use super::walk::TooLarge;
use std::collections::BTreeMap;
use switchyard_filter::block::{Ask, Block, Condition};
use switchyard_filter::matcher::header::HeaderMatch;
use switchyard_filter::matcher::path::PathMatch;
use switchyard_filter::matcher::text::TextMatch;

/// More hosts than these are not looked at one by one where a rule asks for `:authority`.
const HOSTS: usize = 16;

/// A set of requests, a product of sets of paths and of values, with one of its requests.
#[derive(Clone)]
pub struct Region<'p> {
    path: Vec<Part<'p>>,
    /// Conditions by what they are about, and whether they hold.
    conditions: BTreeMap<Key<'p>, Vec<(&'p Ask, bool)>>,
    /// A request of it: the shortest in everything.
    pub point: Point<'p>,
}

impl<'p> Region<'p> {
    /// All requests of a site that have a path.
    fn all(site: &Site<'p>) -> Self {
        let path = vec![Part::inside(Language::Prefix(b"/", false))];
        let point = Point { path: b"/".to_vec(), values: BTreeMap::new(), tags: site.usual_tags() };
        Self { path, conditions: BTreeMap::new(), point }
    }

    /// The requests that a block takes; the field of the condition that none fulfils where there are none.
    pub fn of(site: &Site<'p>, block: &'p Block, budget: &mut Budget) -> Result<Result<Self, &'p str>, TooLarge> {
        let Some(mut region) = Self::all(site).with_path(&block.path, true, budget)? else { return Ok(Err("uri")) };
        for condition in &block.conditions {
            match region.with(site, condition, true, budget)? {
                Some(less) => region = less,
                None => return Ok(Err(&condition.field)),
            }
        }
        Ok(Ok(region))
    }

    /// Those whose path matches, or does not; `None` when there are none.
    pub fn with_path(&self, path: &'p PathMatch, inside: bool, budget: &mut Budget) -> Result<Option<Self>, TooLarge> {
        let mut less = self.clone();
        less.path.push(Part { language: Language::of_path(path), inside });
        let Some(path) = find(Alphabet::Path, &less.path, budget)? else { return Ok(None) };
        less.point.path = path;
        Ok(Some(less))
    }

    /// Those for which a condition holds, or does not; `None` when there are none.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn with(
        &self,
        site: &Site<'p>,
        condition: &'p Condition,
        holds: bool,
        budget: &mut Budget,
    ) -> Result<Option<Self>, TooLarge> {
        let key = Key::of(&condition.ask).ok_or(TooLarge)?;
        let mut less = self.clone();
        let all = less.conditions.entry(key).or_default();
        all.push((&condition.ask, holds));
        match key {
            // A query is split at these, so there is never such a parameter.
            Key::Query(name) if name.contains(['&', '=', '#']) => return Ok((!holds).then_some(less)),
            Key::Query(_) => {
                let Some(value) = query(all, budget)? else { return Ok(None) };
                less.point.values.insert(key, value.text());
            }
            Key::Header(name) => {
                let all: Vec<(&HeaderMatch, bool)> = all
                    .iter()
                    .filter_map(
                        |(ask, holds)| if let Ask::Header(header) = ask { Some((header, *holds)) } else { None },
                    )
                    .collect();
                let tag = all.first().and_then(|(header, _)| header.tag);
                if let Some((tag, Says::Of(values))) = tag.and_then(|tag| Some((tag, site.tags.get(tag.index)?))) {
                    // Another spelling of a tag's header is always removed.
                    let values: &[Option<&str>] = if tag.same_name { values } else { &[None] };
                    let mut fitting = values.iter().copied().filter(|said| fulfils(&all, said.map(str::as_bytes)));
                    let Some(said) = fitting.next() else { return Ok(None) };
                    if let Some(slot) = less.point.tags.get_mut(tag.index).filter(|_| tag.same_name) {
                        *slot = said;
                    }
                } else {
                    let Some(value) = header(site, name, &all, budget)? else { return Ok(None) };
                    less.point.values.insert(key, value.text());
                }
            }
        }
        Ok(Some(less))
    }
}

/// Whether a header of this value (`None`: it is missing) does what all conditions want.
fn fulfils(all: &[(&HeaderMatch, bool)], value: Option<&[u8]>) -> bool {
    all.iter().all(|(header, holds)| {
        // As `HeaderMatch::matches`: missing counts as empty, but only where it must not match.
        let found = match (&header.text, value) {
            (text, Some(value)) => text.matches(value),
            (TextMatch::Present, None) => false,
            (text, None) => header.without && text.matches(b""),
        };
        (found != header.without) == *holds
    })
}

/// What a header or query parameter is.
enum Value {
    /// Best left out.
    Absent,
    /// This text.
    Text(Vec<u8>),
}

impl Value {
    fn text(self) -> Option<Vec<u8>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// A value for a header; `None` when none fulfils all.
fn header(
    site: &Site<'_>,
    name: &str,
    all: &[(&HeaderMatch, bool)],
    budget: &mut Budget,
) -> Result<Option<Value>, TooLarge> {
    let usual: &[&[u8]] = match name {
        ":method" => &[b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS"],
        ":scheme" => &[b"http", b"https"],
        ":authority" | ":path" => &[],
        _ if fulfils(all, None) => return Ok(Some(Value::Absent)),
        _ => &[b"1"],
    };
    let own = site.authority.as_ref().filter(|_| name == ":authority").map(String::as_bytes);
    if let Some(value) = usual.iter().copied().chain(own).find(|value| fulfils(all, Some(value))) {
        return Ok(Some(Value::Text(value.to_vec())));
    }
    let mut parts = vec![];
    let mut present = true;
    for (header, holds) in all {
        let inside = *holds != header.without;
        match Language::of_text(&header.text) {
            Some(language) => parts.push(Part { language, inside }),
            None => present &= inside,
        }
    }
    let found = match name {
        _ if !present => None,
        ":authority" => authority(site, &parts, budget)?,
        _ => find(Alphabet::Value, &parts, budget)?,
    };
    // A request without a host is one for `*`; no such request is made here.
    if found.is_none() && name == ":authority" && fulfils(all, None) && site.has(b"") {
        return Err(TooLarge);
    }
    Ok(found.map(Value::Text))
}

/// An `:authority` that comes to a site: one of its hosts, perhaps with a port.
fn authority(site: &Site<'_>, parts: &[Part<'_>], budget: &mut Budget) -> Result<Option<Vec<u8>>, TooLarge> {
    let exact = site.hosts.len() <= HOSTS && !site.hosts.iter().any(|host| host.starts_with('*'));
    let hosts: Vec<&[u8]> = if exact { site.hosts.iter().map(String::as_bytes).collect() } else { vec![b""] };
    let mut unclear = false;
    for host in hosts {
        let mut parts = parts.to_vec();
        parts.push(Part::inside(Language::Prefix(host, true)));
        match find(Alphabet::Value, &parts, budget)? {
            Some(found) if site.has(&found) => return Ok(Some(found)),
            Some(_) => unclear = true,
            None => {}
        }
    }
    if unclear { Err(TooLarge) } else { Ok(None) }
}

/// A value for a query parameter; `None` when none fulfils all.
fn query(all: &[(&Ask, bool)], budget: &mut Budget) -> Result<Option<Value>, TooLarge> {
    let mut parts = vec![];
    let mut absent = true;
    let mut present = true;
    for (ask, holds) in all {
        let Ask::Query(query) = ask else { continue };
        absent &= !holds;
        match Language::of_text(&query.text) {
            Some(language) => parts.push(Part { language, inside: *holds }),
            None => present &= holds,
        }
    }
    if absent {
        return Ok(Some(Value::Absent));
    }
    if !present {
        return Ok(None);
    }
    if parts.iter().all(|part| part.language.has(b"1") == part.inside) {
        return Ok(Some(Value::Text(b"1".to_vec())));
    }
    Ok(find(Alphabet::Query, &parts, budget)?.map(Value::Text))
}
