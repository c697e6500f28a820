//! When a request is tried again (istio.md 1.12), as the headers that Envoy's router reads (envoy.md 1.5).

use crate::document::HttpRetry;
use crate::duration;
use crate::error::At;
use core::fmt::Write as _;

/// Istio's default number of retries, and on what: connections that were never made or refused, gRPC likewise.
const DEFAULT_ATTEMPTS: u32 = 2;
const DEFAULT_ON: &str = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

/// Conditions that `x-envoy-retry-on` takes.
const HTTP_CONDITIONS: [&str; 10] = [
    "5xx",
    "connect-failure",
    "envoy-ratelimited",
    "gateway-error",
    "http3-post-connect-failure",
    "refused-stream",
    "reset",
    "reset-before-request",
    "retriable-4xx",
    "retriable-headers",
];
/// Conditions that only `x-envoy-retry-grpc-on` takes; mixed into the other header they do not work.
const GRPC_CONDITIONS: [&str; 5] = ["cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"];

/// When a request is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How often at most, at least once.
    pub attempts: u32,
    /// How long each try may take, in milliseconds.
    pub per_try_timeout: Option<u64>,
    /// HTTP conditions, joined with `,`.
    pub http_on: String,
    /// gRPC conditions, joined with `,`.
    pub grpc_on: String,
    /// Status codes, joined with `,`.
    pub status_codes: String,
}

impl Retries {
    /// Compiles `retries`; none means Istio's default, `attempts: 0` no retries: `Some(None)`. `None` when it is wrong,
    /// which has been noted.
    pub fn compile(written: Option<&HttpRetry>, at: &mut At) -> Option<Option<Self>> {
        let default = HttpRetry { attempts: 2, ..HttpRetry::default() };
        let written = written.unwrap_or(&default);
        let before = at.count();
        if written.attempts == 0 && (written.per_try_timeout.is_some() || !written.retry_on.is_empty()) {
            at.field("attempts", |at| at.error("`attempts: 0` switches retries off: leave out the other fields"));
        }
        let Ok(attempts) = u32::try_from(written.attempts) else {
            at.field("attempts", |at| at.error(format!("`{}` is negative: 0 switches retries off", written.attempts)));
            return None;
        };
        let per_try_timeout = written
            .per_try_timeout
            .as_ref()
            .and_then(|timeout| at.field("perTryTimeout", |at| duration::compile_positive(timeout, at)));
        let mut retries = Self {
            attempts: if attempts == 0 { DEFAULT_ATTEMPTS } else { attempts },
            per_try_timeout,
            http_on: String::new(),
            grpc_on: String::new(),
            status_codes: String::new(),
        };
        let on = if written.retry_on.is_empty() { DEFAULT_ON } else { &written.retry_on };
        at.field("retryOn", |at| retries.add_conditions(on, at));
        (at.count() == before).then(|| (attempts > 0).then_some(retries))
    }

    fn add_conditions(&mut self, on: &str, at: &mut At) {
        for token in on.split(',') {
            if HTTP_CONDITIONS.contains(&token) {
                join(&mut self.http_on, token);
            } else if GRPC_CONDITIONS.contains(&token) {
                join(&mut self.grpc_on, token);
            } else if token.len() == 3 && token.parse().is_ok_and(is_status) {
                join(&mut self.status_codes, token);
            } else if token != "retriable-status-codes" {
                let trimmed = token.trim();
                let known = HTTP_CONDITIONS.contains(&trimmed) || GRPC_CONDITIONS.contains(&trimmed);
                at.error(if known {
                    format!("`{token}`: write `{trimmed}` without spaces, as Istio demands")
                } else {
                    format!(
                        "`{token}` is no retry condition: write a status code or one of {}, {}, `retriable-status-codes`",
                        crate::read::list(&HTTP_CONDITIONS),
                        crate::read::list(&GRPC_CONDITIONS)
                    )
                });
            }
        }
        // Without a list of codes the condition never holds, as in Istio.
        if !self.status_codes.is_empty() {
            join(&mut self.http_on, "retriable-status-codes");
        }
    }

    /// The headers that ask Envoy's router for these retries.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("x-envoy-max-retries", self.attempts.to_string())];
        for (name, value) in [
            ("x-envoy-retry-on", &self.http_on),
            ("x-envoy-retry-grpc-on", &self.grpc_on),
            ("x-envoy-retriable-status-codes", &self.status_codes),
        ] {
            if !value.is_empty() {
                headers.push((name, value.clone()));
            }
        }
        if let Some(timeout) = self.per_try_timeout {
            headers.push(("x-envoy-upstream-rq-per-try-timeout-ms", timeout.to_string()));
        }
        headers
    }
}

/// Whether a status code has a name in Go's `http.StatusText`: Istio takes no others.
fn is_status(code: u16) -> bool {
    matches!(code, 100..=103 | 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=418 | 421..=426 | 428 | 429 | 431 | 451
        | 500..=508 | 510 | 511)
}

fn join(list: &mut String, token: &str) {
    let comma = if list.is_empty() { "" } else { "," };
    let _ = write!(list, "{comma}{token}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(written: Option<&HttpRetry>) -> Vec<(&'static str, String)> {
        let retries = Retries::compile(written, &mut At::root()).expect("right");
        retries.map_or_else(Vec::new, |retries| retries.headers())
    }

    #[test]
    fn a_rule_without_retries_gets_istios_and_zero_attempts_none() {
        assert_eq!(
            headers(None),
            [
                ("x-envoy-max-retries", "2".to_owned()),
                ("x-envoy-retry-on", "connect-failure,refused-stream".to_owned()),
                ("x-envoy-retry-grpc-on", "unavailable,cancelled".to_owned()),
            ]
        );
        assert_eq!(headers(Some(&HttpRetry::default())), []);
    }

    #[test]
    fn conditions_go_to_the_header_that_takes_them() {
        let written =
            HttpRetry { attempts: 3, per_try_timeout: Some("1.5s".into()), retry_on: "5xx,503,internal,429".into() };
        assert_eq!(
            headers(Some(&written)),
            [
                ("x-envoy-max-retries", "3".to_owned()),
                ("x-envoy-retry-on", "5xx,retriable-status-codes".to_owned()),
                ("x-envoy-retry-grpc-on", "internal".to_owned()),
                ("x-envoy-retriable-status-codes", "503,429".to_owned()),
                ("x-envoy-upstream-rq-per-try-timeout-ms", "1500".to_owned()),
            ]
        );
    }

    #[test]
    fn a_condition_with_a_space_is_refused_as_istio_does() {
        let mut at = At::root();
        let written = HttpRetry { attempts: 1, retry_on: "5xx, reset".into(), ..HttpRetry::default() };
        assert_eq!(Retries::compile(Some(&written), &mut at), None);
        assert_eq!(
            at.into_errors()[0].to_string(),
            "retryOn: ` reset`: write `reset` without spaces, as Istio demands"
        );
    }
}
