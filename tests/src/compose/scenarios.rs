//! The scenarios: each puts its policy in force, sends requests, and says what came of them.

mod limits;
mod rollout;
mod routing;

use std::net::SocketAddr;

use super::measure::Measure;

/// A scenario, by its place in the walk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scenario {
    /// Everybody gets one version.
    Subset,
    /// A share of the requests gets the other.
    Split,
    /// A version by its path, which is rewritten.
    PathRewrite,
    /// Users are tagged by share.
    HeaderTagging,
    /// Copies of a share go to the mirror.
    Mirror,
    /// Delays and aborts, independent of each other.
    Fault,
    /// The share of a new version grows step by step.
    Canary,
    /// All traffic changes over at once.
    BlueGreen,
    /// More requests than a connection pool takes.
    PoolOverflow,
    /// A host that fails is left out, and comes back.
    Ejection,
}

impl Scenario {
    /// All, in the order of the walk.
    pub const ALL: [Self; 10] = [
        Self::Subset,
        Self::Split,
        Self::PathRewrite,
        Self::HeaderTagging,
        Self::Mirror,
        Self::Fault,
        Self::Canary,
        Self::BlueGreen,
        Self::PoolOverflow,
        Self::Ejection,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subset => "subset",
            Self::Split => "90/10",
            Self::PathRewrite => "path rewrite",
            Self::HeaderTagging => "header tagging",
            Self::Mirror => "mirror",
            Self::Fault => "fault",
            Self::Canary => "canary",
            Self::BlueGreen => "blue-green",
            Self::PoolOverflow => "pool overflow",
            Self::Ejection => "ejection",
        }
    }

    /// Runs it through the Envoy at this address. Errors: what keeps it from being measured.
    pub async fn run(self, envoy: SocketAddr) -> Result<Vec<Measure>, String> {
        match self {
            Self::Subset => routing::subset(envoy).await,
            Self::Split => routing::split(envoy).await,
            Self::PathRewrite => routing::path_rewrite(envoy).await,
            Self::HeaderTagging => routing::header_tagging(envoy).await,
            Self::Mirror => routing::mirror(envoy).await,
            Self::Fault => routing::fault(envoy).await,
            Self::Canary => rollout::canary(envoy).await,
            Self::BlueGreen => rollout::blue_green(envoy).await,
            Self::PoolOverflow => limits::pool_overflow(envoy).await,
            Self::Ejection => limits::ejection(envoy).await,
        }
    }
}
