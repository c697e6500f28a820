//! A configuration that is right: immutable, valid by construction.

use crate::answer::Answer;
use crate::block::Block;
use crate::chance::Chance;
use crate::connection::Facts;
use crate::cors::Cors;
use crate::document::{AccessLog, ControlHeaders, FaultCarrier, Mode, OnUnmatched};
use crate::draw::Seed;
use crate::fault::Fault;
use crate::matcher::host::HostMatch;
use crate::mirror::Mirror;
use crate::operations::{Levels, Operations};
use crate::retry::Retries;
use crate::rewrite::Rewrite;
use crate::series::SeriesTable;
use crate::split::{Split, Subject};
use crate::tag::Tag;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What one listener decides. Made by [`compile`](crate::compile()).
#[derive(Debug)]
pub struct Policy {
    pub(crate) mode: Mode,
    pub(crate) access_log: AccessLog,
    pub(crate) control_headers: ControlHeaders,
    pub(crate) on_unmatched: OnUnmatched,
    pub(crate) faults: FaultCarrier,
    pub(crate) max_delayed: u32,
    pub(crate) seed: Seed,
    pub(crate) tags: Box<[Tag]>,
    pub(crate) rules: Box<[Rule]>,
    pub(crate) hosts: HostMatch<VirtualHost>,
    /// Every list of routes that a virtual host has.
    pub(crate) routes: Box<[Arc<[Route]>]>,
    /// Whether a decision can hang on the query.
    pub(crate) asks_query: bool,
    pub(crate) series: SeriesTable,
}

/// What is routed for one host.
#[derive(Clone, Debug)]
pub struct VirtualHost {
    /// Tried in order, as Envoy would its routes. Hosts of one VirtualService share them.
    pub routes: Arc<[Route]>,
}

/// One match block of a rule; a rule without any has one that matches everything.
#[derive(Clone, Debug)]
pub struct Route {
    /// Which of the policy's rules.
    pub rule: usize,
    /// The block's place in the rule's `match`; `None` where there is no `match`. Of a merged rule: in what was merged.
    pub index: Option<usize>,
    /// Where the block is written, from the document's root, if not there: that of a merged rule.
    pub written: Option<Box<str>>,
    /// What it asks.
    pub block: Arc<Block>,
}

/// A rule of a VirtualService.
#[derive(Debug)]
pub struct Rule {
    /// `namespace/name` of the VirtualService.
    pub virtual_service: Box<str>,
    /// Its place in the document's `virtualServices`.
    pub virtual_service_index: usize,
    /// Its place in the VirtualService's `http`.
    pub index: usize,
    /// Where its other half is written, if it is a rule that delegates, merged with one of its delegate's.
    pub delegated: Option<Delegated>,
    /// Its name; `http[i]` where it has none.
    pub name: Box<str>,
    /// Where its requests go; none where it answers them.
    pub destinations: Box<[Destination]>,
    /// Which of several destinations; `None` for a single one.
    pub split: Option<Split>,
    /// What it answers, in place of destinations.
    pub answer: Option<Answer>,
    /// What becomes of the path.
    pub rewrite: Option<Rewrite>,
    /// What goes wrong on purpose.
    pub fault: Option<Fault>,
    /// Where copies go, in order.
    pub mirrors: Box<[Mirror]>,
    /// What browsers are told.
    pub cors: Option<Cors>,
    /// What becomes of the headers of its own answers.
    pub response: Option<Arc<Operations>>,
    /// How long the whole exchange may take, in milliseconds.
    pub timeout: Option<u64>,
    /// When a request is tried again.
    pub retries: Option<Retries>,
    /// The headers that ask Envoy's router for it.
    pub retry_headers: Box<[(&'static str, String)]>,
}

/// A rule of a delegate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delegated {
    /// The delegate's place in the document's `virtualServices`.
    pub virtual_service_index: usize,
    /// The rule's place in its `http`.
    pub index: usize,
}

/// A destination of a rule, by its full name.
#[derive(Debug)]
pub struct Destination {
    /// Its full host name.
    pub host: Box<str>,
    /// Its subset; empty for none.
    pub subset: Box<str>,
    /// Its port.
    pub port: u16,
    /// Istio's name for it: `outbound|<port>|<subset>|<host>`.
    pub cluster: Box<str>,
    /// Its place in the rule's `route`.
    pub index: usize,
    /// `:authority` of requests that go there, where it is rewritten.
    pub authority: Option<Box<str>>,
    /// By what its hosts are chosen, where its load balancing hashes.
    pub hash: Option<Subject>,
    /// What becomes of the headers of requests that go there.
    pub request: Levels,
    /// What becomes of the headers of their responses.
    pub response: Levels,
}

impl Rule {
    /// Where its `route` is written: the places of the VirtualService and of its rule.
    pub fn written(&self) -> (usize, usize) {
        self.delegated.map_or((self.virtual_service_index, self.index), |rule| (rule.virtual_service_index, rule.index))
    }

    /// Whether what the rule does hangs on which part of the path matched.
    pub fn asks_what_matched(&self) -> bool {
        self.rewrite.as_ref().is_some_and(Rewrite::asks_what_matched) || self.answer.is_some()
    }

    /// Every chance that the rule leaves to a draw, or that is certain.
    pub fn chances(&self) -> impl Iterator<Item = &Chance> {
        let delay = self.fault.iter().filter_map(|fault| fault.delay.as_ref()).map(|delay| &delay.chance);
        let abort = self.fault.iter().filter_map(|fault| fault.abort.as_ref()).map(|abort| &abort.chance);
        delay.chain(abort).chain(self.mirrors.iter().map(|mirror| &mirror.chance))
    }
}

impl Policy {
    /// Whether decisions are carried out.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What the access log is told: at least the decision where it is only observed.
    pub fn access_log(&self) -> AccessLog {
        match (self.mode, self.access_log) {
            (Mode::Observe, AccessLog::Off) => AccessLog::Decision,
            (_, access_log) => access_log,
        }
    }

    /// What is counted of requests.
    pub fn series(&self) -> &SeriesTable {
        &self.series
    }

    /// Which carrier faults have.
    pub fn faults(&self) -> FaultCarrier {
        self.faults
    }

    /// How many requests the filter delays at once, per worker.
    pub fn max_delayed(&self) -> u32 {
        self.max_delayed
    }

    /// The most mirrors that a rule has: so many mirror policies a route needs.
    pub fn most_mirrors(&self) -> usize {
        self.rules.iter().map(|rule| rule.mirrors.len()).max().unwrap_or(0)
    }

    /// Whether the filter removes control headers itself.
    pub fn control_headers(&self) -> ControlHeaders {
        self.control_headers
    }

    /// The salt of draws.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The tags, in the order in which they are evaluated.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The rules, by VirtualService.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The virtual hosts.
    pub fn hosts(&self) -> &HostMatch<VirtualHost> {
        &self.hosts
    }

    /// Every choice: of tags, then of rules.
    pub fn splits(&self) -> impl Iterator<Item = &Split> {
        let tags = self.tags.iter().filter_map(|tag| tag.split.as_ref()).map(|split| &split.split);
        tags.chain(self.rules.iter().filter_map(|rule| rule.split.as_ref()))
    }

    /// Subjects that keep a choice, each once, in order of their keys.
    pub fn sticky_subjects(&self) -> Vec<&Subject> {
        let mut all: Vec<_> = self.splits().map(|split| &split.subject).filter(|subject| subject.is_sticky()).collect();
        all.sort_unstable_by_key(|subject| subject.key());
        all.dedup_by_key(|subject| subject.key());
        all
    }

    /// Whether a decision can hang on the source address.
    pub fn needs_source_address(&self) -> bool {
        self.matches_source_address() || self.splits().any(|split| split.subject == Subject::SourceIp)
    }

    /// What a decision can hang on of a request's connection.
    pub fn facts(&self) -> Facts {
        let levels = self.rules.iter().flat_map(|rule| {
            let destinations = rule.destinations.iter();
            let levels = destinations.flat_map(|destination| destination.request.iter().chain(&destination.response));
            levels.chain(&rule.response)
        });
        let values = levels.flat_map(|level| level.values());
        let mut hashes = self.rules.iter().flat_map(|rule| rule.destinations.iter()).map(|to| &to.hash);
        let hashes_source = hashes.any(|hash| *hash == Some(Subject::SourceIp));
        let source = if hashes_source || self.needs_source_address() { Facts::SOURCE } else { Facts::NONE };
        let mut asks = self.blocks().flat_map(|block| block.conditions.iter()).map(|condition| &condition.ask);
        let peer = if asks.any(|ask| matches!(ask, crate::block::Ask::Peer(_))) { Facts::PEER } else { Facts::NONE };
        values.fold(source.with(peer), |all, value| all.with(value.facts()))
    }

    /// Whether a condition asks for the source address.
    pub fn matches_source_address(&self) -> bool {
        self.blocks().any(|block| block.conditions.iter().any(|c| matches!(c.ask, crate::block::Ask::SourceIp(_))))
    }

    /// Headers that conditions, redirects and CORS ask for, pseudo headers included, in lower case, in order. A tag's own
    /// header is among them where a condition asks for it: for hosts that are none of the tag's it is a header like any
    /// other. The path is always asked for and not named here.
    pub fn matched_headers(&self) -> BTreeSet<&str> {
        let mut names: BTreeSet<&str> =
            self.tags.iter().filter(|tag| tag.trust_client).map(|tag| &*tag.header).collect();
        for block in self.blocks() {
            for condition in &block.conditions {
                if let crate::block::Ask::Header(header) = &condition.ask {
                    names.insert(&header.name);
                }
            }
        }
        for rule in &self.rules {
            names.extend(rule.answer.iter().flat_map(|_| ["x-forwarded-proto"]));
            names.extend(rule.cors.iter().flat_map(|_| crate::cors::ASKED));
        }
        names
    }

    /// Whether a condition asks for a query parameter.
    pub fn matches_query(&self) -> bool {
        self.blocks().any(|block| block.conditions.iter().any(|c| matches!(c.ask, crate::block::Ask::Query(_))))
    }

    /// Query parameters that conditions ask for, in order.
    pub fn matched_query_parameters(&self) -> BTreeSet<&str> {
        let asks = self.blocks().flat_map(|block| block.conditions.iter()).map(|condition| &condition.ask);
        asks.filter_map(|ask| if let crate::block::Ask::Query(query) = ask { Some(&*query.name) } else { None })
            .collect()
    }

    /// Every match block.
    fn blocks(&self) -> impl Iterator<Item = &Block> {
        let tags = self.tags.iter().flat_map(|tag| tag.rules.iter()).flat_map(|rule| rule.blocks.iter());
        let routes = self.routes.iter().flat_map(|routes| routes.iter());
        tags.map(|(_, block)| block).chain(routes.map(|route| &*route.block))
    }
}
