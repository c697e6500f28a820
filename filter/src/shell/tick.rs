//! The one tick of a root context, armed only while something waits for it.

use super::host::{self, Error};
use core::cell::Cell;

/// When the host calls the root context next.
#[derive(Debug, Default)]
pub struct Tick {
    clock: Cell<Option<Clock>>,
    /// In nanoseconds of the clock; `None` while there is no tick.
    armed: Cell<Option<u64>>,
}

/// Which clock the host has: asked once, since times of two clocks cannot be compared.
#[derive(Clone, Copy, Debug)]
enum Clock {
    Monotonic,
    Wall,
}

impl Tick {
    /// The time in nanoseconds, of the monotonic clock where the host has one.
    pub fn now(&self) -> Result<u64, Error> {
        match self.clock.get() {
            Some(Clock::Monotonic) => host::monotonic_time(),
            Some(Clock::Wall) => host::time(),
            None => {
                let (clock, now) = match host::monotonic_time() {
                    Ok(now) => (Clock::Monotonic, now),
                    Err(_) => (Clock::Wall, host::time()?),
                };
                self.clock.set(Some(clock));
                Ok(now)
            }
        }
    }

    /// Sees to it that the tick comes at `deadline` or before.
    pub fn by(&self, deadline: u64, now: u64) -> Result<(), Error> {
        if self.armed.get().is_some_and(|armed| armed <= deadline) { Ok(()) } else { self.set(Some(deadline), now) }
    }

    /// Has the tick come at `deadline`, in whole milliseconds and never before; or not at all. Hosts repeat a tick, so
    /// each needs this.
    pub fn set(&self, deadline: Option<u64>, now: u64) -> Result<(), Error> {
        // 0 would be never, so an overdue one is in a millisecond.
        let milliseconds = |deadline: u64| {
            let rest = deadline.saturating_sub(now).div_ceil(super::MILLISECOND).max(1);
            u32::try_from(rest).unwrap_or(u32::MAX)
        };
        self.armed.set(None);
        host::set_tick_period(deadline.map_or(0, milliseconds))?;
        self.armed.set(deadline);
        Ok(())
    }
}
