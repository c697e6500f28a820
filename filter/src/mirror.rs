//! Mirrors: destinations that get a copy of some requests, whose answers are thrown away (istio.md 1.14).

use crate::chance::Chance;
use crate::policy::Destination;

/// A mirror of a rule.
#[derive(Debug)]
pub struct Mirror {
    /// For which requests.
    pub chance: Chance,
    /// Where the copy goes. Nothing of it counts but where it is.
    pub destination: Destination,
}
