//! Whether a request reaches a route, or routes before it take every one that it asks for.
//!
//! A request that the route takes is made, and tried on the routes before. Where one of those takes it, another request is
//! made that the taker does not: by its path, or by any of the taker's conditions. When every such way is at its end,
//! the routes that were met on it take everything: that is the proof. When a request comes through, it is the witness.

use super::index::Index;
use super::language::Language;
use super::point::Point;
use super::region::Region;
use super::search::Budget;
use super::site::Site;
use super::walk::TooLarge;
use std::collections::BTreeSet;
use switchyard_filter::block::Block;
use switchyard_filter::request::{Header, Request};
use switchyard_filter::tag::TagState;
use switchyard_filter::truth::Truth;

/// How many requests are tried for one route.
const STEPS: usize = 64;

/// What was found of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'p> {
    /// This request reaches it.
    Reached(Point<'p>),
    /// These routes before it take all of its requests.
    Hidden(Vec<usize>),
    /// No request fulfils its conditions; the field of one that fails, below the match block.
    Never(&'p str),
    /// It would take too long to tell.
    Undecided,
}

/// Looks at the routes of one site.
pub struct Covering<'s, 'p> {
    site: &'s Site<'p>,
    index: Index<'p>,
    budget: &'s mut Budget,
    /// The route that is looked at.
    own: usize,
    steps: usize,
    /// Routes that took a request.
    met: BTreeSet<usize>,
}

/// Where the search ends.
enum Way<'p> {
    /// With a request that comes through.
    Through(Point<'p>),
    /// Every request is taken before.
    Closed,
    /// Every request is taken by this route alone.
    Covered(usize),
    /// It is too long.
    Lost,
}

impl<'s, 'p> Covering<'s, 'p> {
    /// For the routes of a site.
    pub fn new(site: &'s Site<'p>, budget: &'s mut Budget) -> Self {
        Self { site, index: Index::new(site.routes), budget, own: 0, steps: 0, met: BTreeSet::new() }
    }

    /// What becomes of a route.
    pub fn verdict(&mut self, own: usize) -> Verdict<'p> {
        let (Some(block), true) = (self.block(own), self.site.authority.is_some()) else { return Verdict::Undecided };
        self.own = own;
        self.steps = STEPS;
        self.met.clear();
        let all = match Region::of(self.site, block, self.budget) {
            Ok(Ok(all)) => all,
            Ok(Err(field)) => return Verdict::Never(field),
            Err(_) => return Verdict::Undecided,
        };
        match self.explore(&all, &all) {
            Way::Through(point) => Verdict::Reached(point),
            Way::Lost => Verdict::Undecided,
            Way::Covered(route) => Verdict::Hidden(vec![route]),
            Way::Closed => Verdict::Hidden(self.met.iter().copied().collect()),
        }
    }

    fn block(&self, route: usize) -> Option<&'p Block> {
        self.site.routes.get(route).map(|route| &*route.block)
    }

    /// `all` is what the route asks for, `region` what the routes met so far leave of it.
    fn explore(&mut self, region: &Region<'p>, all: &Region<'p>) -> Way<'p> {
        let Some(steps) = self.steps.checked_sub(1) else { return Way::Lost };
        self.steps = steps;
        let Ok(taker) = self.taker(&region.point) else { return Way::Lost };
        let Some((taker, block)) = taker.and_then(|taker| Some((taker, self.block(taker)?))) else {
            let is_own = self.block(self.own).is_some_and(|own| self.ask(&region.point, |asked| asked.fulfils(own)));
            return if is_own { Way::Through(region.point.clone()) } else { Way::Lost };
        };
        // One that takes everything alone is the shortest proof, and the best to tell.
        if self.met.insert(taker) && self.may_cover(block) && self.covers(block, all) {
            return Way::Covered(taker);
        }
        let mut end = Way::Closed;
        // By each condition of the taker, then by its path.
        for condition in block.conditions.iter().map(Some).chain([None]) {
            let left = match condition {
                Some(condition) => region.with(self.site, condition, false, self.budget),
                None => region.with_path(&block.path, false, self.budget),
            };
            match left.map(|left| left.map(|left| self.explore(&left, all))) {
                Ok(None | Some(Way::Closed)) => {}
                Ok(Some(Way::Lost)) | Err(_) => end = Way::Lost,
                Ok(Some(found)) => return found,
            }
        }
        end
    }

    /// A quick look whether it is worth asking: what it takes begins no longer than what is asked for.
    fn may_cover(&self, block: &Block) -> bool {
        let Some(own) = self.block(self.own) else { return false };
        let [own, other] = [own, block].map(|block| Language::of_path(&block.path).folded_beginnings());
        own.iter().all(|own| other.iter().any(|other| own.starts_with(other)))
    }

    /// Whether a block takes every request of a region.
    fn covers(&mut self, block: &'p Block, region: &Region<'p>) -> bool {
        matches!(region.with_path(&block.path, false, self.budget), Ok(None))
            && block
                .conditions
                .iter()
                .all(|condition| matches!(region.with(self.site, condition, false, self.budget), Ok(None)))
    }

    /// The first route before the own one that takes a request.
    fn taker(&mut self, point: &Point<'p>) -> Result<Option<usize>, TooLarge> {
        let candidates = self.index.candidates(self.site, point, self.own);
        let tries = self.budget.tries;
        let (found, left) = self.ask(point, |asked| {
            let mut left = tries;
            for route in candidates {
                let Some(less) = left.checked_sub(1) else { return (Err(TooLarge), 0) };
                left = less;
                if self.block(route).is_some_and(|block| asked.fulfils(block)) {
                    return (Ok(Some(route)), left);
                }
            }
            (Ok(None), left)
        });
        self.budget.tries = left;
        found
    }

    /// Makes the request that a point stands for, for the filter's own matchers.
    fn ask<T>(&self, point: &Point<'p>, ask: impl FnOnce(&Asked<'_>) -> T) -> T {
        let authority = point.authority(self.site);
        let path = point.full_path();
        let mut lines: Vec<Header<'_>> = vec![
            (b":method", point.method()),
            (b":authority", &authority),
            (b":path", &path),
            (b":scheme", point.scheme()),
        ];
        lines.extend(point.headers());
        let tags = self.site.tag_states(&authority, &point.tags);
        ask(&Asked { request: Request::new(&lines, None), tags: &tags, is_here: self.site.has(&authority) })
    }
}

/// A request that matchers are asked about.
struct Asked<'a> {
    request: Request<'a>,
    tags: &'a [TagState<'a>],
    /// Whether it comes to the site at all.
    is_here: bool,
}

impl Asked<'_> {
    fn fulfils(&self, block: &Block) -> bool {
        self.is_here && block.matches(&self.request, self.tags) == Truth::True
    }
}
