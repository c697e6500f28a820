//! Why the command ends without success, and with which exit code.

use super::manifests::{counted_json, tell_counted};
use super::{Format, note, print_json};
use switchyard_envoy::diagnostic::Diagnostic;

/// Why the command ends.
#[derive(Debug)]
pub enum Failure {
    /// What was expected is not so; the result says the rest.
    Expectation(String),
    /// The call makes no sense.
    Usage(String),
    /// The policy is invalid; these are told.
    Invalid(Vec<Diagnostic>),
    /// The policy is invalid, and that was told.
    InvalidTold,
    /// A file cannot be opened, decoded or written.
    File(String),
    /// Nobody reads stdout any more.
    ClosedPipe,
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Expectation(_) => 1,
            Self::Usage(_) => 2,
            Self::Invalid(_) | Self::InvalidTold => 3,
            Self::File(_) => 4,
        }
    }

    /// Tells an invalid policy to a program on stdout, as `check --format json` does, where that is the `format`.
    pub fn in_format(self, format: Format) -> Self {
        match (self, format) {
            (Self::Invalid(found), Format::Json) => {
                print_json(&counted_json(&found)).err().unwrap_or(Self::InvalidTold)
            }
            (failure, _) => failure,
        }
    }

    /// Tells it on stderr.
    pub fn tell(&self) {
        match self {
            Self::Expectation(message) | Self::Usage(message) | Self::File(message) => {
                for line in message.lines() {
                    note(&format!("error: {line}"));
                }
            }
            Self::Invalid(diagnostics) => tell_counted(diagnostics),
            Self::ClosedPipe | Self::InvalidTold => {}
        }
    }
}
