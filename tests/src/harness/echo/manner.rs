//! How an upstream answers, which may change while it runs.

use std::time::Duration;

use hyper::StatusCode;

/// How the next request is answered.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// The status of those that do not fail.
    pub status: StatusCode,
    /// How long an answer takes.
    pub latency: Duration,
    /// How many of a hundred fail, and with which status.
    pub failing: (u64, StatusCode),
    /// Requests since this is how many fail.
    pub seen: u64,
}

impl Manner {
    pub fn new(status: StatusCode) -> Self {
        Self { status, latency: Duration::ZERO, failing: (0, status), seen: 0 }
    }

    /// The status of the next request. Failures are spread evenly: of any hundred requests exactly so many.
    pub fn next(&mut self) -> StatusCode {
        let (percent, status) = self.failing;
        let before = self.seen * percent / 100;
        self.seen += 1;
        if self.seen * percent / 100 > before { status } else { self.status }
    }
}

/// Errors: it is none.
pub fn status(number: u16) -> Result<StatusCode, String> {
    StatusCode::from_u16(number).map_err(|_| format!("`{number}` is no status; write one between 200 and 599"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_spread_evenly() {
        let bad = StatusCode::BAD_GATEWAY;
        let mut manner = Manner { failing: (50, bad), ..Manner::new(StatusCode::OK) };
        let seen: Vec<u16> = (0..6).map(|_| manner.next().as_u16()).collect();
        assert_eq!(seen, [200, 502, 200, 502, 200, 502]);
        let mut manner = Manner { failing: (30, bad), ..Manner::new(StatusCode::OK) };
        assert_eq!((0..100).filter(|_| manner.next() == bad).count(), 30);
    }
}
