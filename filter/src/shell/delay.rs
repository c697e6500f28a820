//! Requests that wait: paused, and let go by the tick.
//!
//! A request is changed before it waits, so that letting it go is one host call. It ends as it was decided, whatever
//! configuration comes meanwhile: each has a queue of its own, and requests keep theirs alive.

use super::Active;
use super::answer::Answer;
use super::host::{self, Error};
use super::tick::Tick;
use core::cell::RefCell;
use std::rc::Rc;

/// The requests of one configuration and worker that wait.
#[derive(Debug, Default)]
pub struct Waiting {
    tick: Tick,
    /// In no order: there are few, and one leaves at any time.
    entries: RefCell<Vec<Entry>>,
}

/// A request that waits.
#[derive(Debug)]
struct Entry {
    /// In nanoseconds of the tick's clock.
    deadline: u64,
    /// Its context.
    id: u32,
    /// What it was decided under.
    active: Rc<Active>,
    /// What it is answered with then; it goes on otherwise.
    answer: Option<Answer>,
}

/// Why a request does not wait.
#[derive(Debug)]
pub enum Refused {
    /// As many wait as may.
    Full,
    /// The host has no clock or no tick.
    Host(Error),
}

impl Waiting {
    /// Makes room for a request that is to wait; until when, for [`enter`](Self::enter).
    pub fn admit(&self, milliseconds: u64, at_most: u32) -> Result<u64, Refused> {
        if self.entries.try_borrow().map_or(usize::MAX, |entries| entries.len()) >= at_most as usize {
            return Err(Refused::Full);
        }
        let now = self.tick.now().map_err(Refused::Host)?;
        let deadline = now.saturating_add(milliseconds.saturating_mul(super::MILLISECOND));
        self.tick.by(deadline, now).map_err(Refused::Host)?;
        Ok(deadline)
    }

    /// Has the request of context `id` wait.
    pub fn enter(&self, deadline: u64, id: u32, active: Rc<Active>, answer: Option<Answer>) {
        // Borrowed for these lines only, here and below, and nothing in them calls back.
        if let Ok(mut entries) = self.entries.try_borrow_mut() {
            entries.push(Entry { deadline, id, active, answer });
        }
    }

    /// Forgets a request that is gone.
    pub fn leave(&self, id: u32) {
        if let Ok(mut entries) = self.entries.try_borrow_mut() {
            entries.retain(|entry| entry.id != id);
        }
    }

    /// The tick that lets them go.
    pub fn tick(&self) -> &Tick {
        &self.tick
    }

    /// Lets go all whose time has come, in order, and arms the tick for the next, or for `other` that waits for it too.
    pub fn release(&self, other: Option<u64>) {
        let now = self.tick.now();
        for Entry { id, active, answer, .. } in self.take(now, other) {
            let let_go = || answer.as_ref().map_or_else(host::resume_request, |answer| answer.send(b""));
            if let Err(error) = host::set_effective_context(id).and_then(|()| let_go()) {
                active.metrics.host_error(&error);
            }
        }
    }

    /// Takes out those that are due. All, where the host has lost its clock or its tick: none may wait for ever.
    fn take(&self, now: Result<u64, Error>, other: Option<u64>) -> Vec<Entry> {
        let Ok(mut entries) = self.entries.try_borrow_mut() else {
            return Vec::new();
        };
        let due = |entry: &Entry| now.as_ref().map_or(true, |now| entry.deadline <= *now);
        let next = entries.iter().filter(|entry| !due(entry)).map(|entry| entry.deadline).chain(other).min();
        let armed = now.as_ref().map_or(Ok(()), |now| self.tick.set(next, *now));
        if let Some(entry) = entries.first()
            && let Some(error) = now.as_ref().err().or(armed.as_ref().err())
        {
            entry.active.metrics.host_error(error);
        }
        let mut taken = if armed.is_ok() {
            entries.extract_if(.., |entry| due(entry)).collect()
        } else {
            core::mem::take(&mut *entries)
        };
        taken.sort_unstable_by_key(|entry| (entry.deadline, entry.id));
        taken
    }
}
