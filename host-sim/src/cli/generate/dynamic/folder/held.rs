//! Until when requests of an earlier policy may be held: whichever call takes clusters away has to wait so long.

use super::{Folder, OWN, cannot_write, read, remove};
use crate::cli::failure::Failure;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

impl Folder {
    /// Requests may be held for so long from now on; how long with those of earlier policies.
    pub fn hold(&self, wait: Duration) -> Result<Duration, Failure> {
        let wait = self.held()?.max(wait);
        let text = format!("{} {}\n", (now() + wait).as_millis(), wait.as_millis());
        self.write(&self.held_file(), &text).map_err(|error| cannot_write(&self.held_file(), &error))?;
        Ok(wait)
    }

    /// How long requests of earlier policies may be held still.
    pub fn held(&self) -> Result<Duration, Failure> {
        let text = read(&self.held_file())?.unwrap_or_default();
        let mut numbers = text.split_whitespace().map(|number| number.parse().map(Duration::from_millis));
        let (Some(Ok(until)), Some(Ok(wait))) = (numbers.next(), numbers.next()) else { return Ok(Duration::ZERO) };
        // Clocks are set.
        Ok(until.saturating_sub(now()).min(wait))
    }

    /// None are held.
    pub fn unhold(&self) -> Result<(), Failure> {
        remove(&self.held_file())
    }

    fn held_file(&self) -> PathBuf {
        self.root.join(OWN).join("held")
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn the_longest_of_several_waits_counts() {
        let temporary = TempDir::new().unwrap();
        let folder = Folder::new(temporary.path());
        folder.lock().unwrap();
        assert_eq!(folder.held().unwrap(), Duration::ZERO);
        folder.hold(Duration::from_mins(1)).unwrap();
        folder.hold(Duration::from_secs(1)).unwrap();
        let held = folder.held().unwrap();
        assert!(held > Duration::from_secs(50) && held <= Duration::from_mins(1), "{held:?}");
        // As after a clock that was wrong by years.
        std::fs::write(folder.held_file(), "99999999999999 2000\n").unwrap();
        assert_eq!(folder.held().unwrap(), Duration::from_secs(2));
        folder.unhold().unwrap();
        assert_eq!(folder.held().unwrap(), Duration::ZERO);
    }
}
