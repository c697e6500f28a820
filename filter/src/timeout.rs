//! How long an exchange may take (istio.md 1.11).

use crate::block::Missing;
use crate::request::{Known, Request};

/// A request's own limit in milliseconds: for gRPC the smaller of the rule's and `grpc-timeout`, else the rule's.
pub fn effective<'a>(rule: Option<u64>, request: &Request<'a>) -> Result<Option<u64>, Missing<'a>> {
    let is_grpc = match request.first(b"content-type") {
        Known::Present(kind) => is_grpc(kind),
        // A recording of the headers that a policy reads need not hold the content type; only gRPC has its own limit.
        Known::Absent | Known::Unknown => false,
    };
    if !is_grpc {
        return Ok(rule);
    }
    match request.first(b"grpc-timeout") {
        Known::Present(asked) => Ok(match (rule, parse(asked)) {
            (Some(rule), Some(asked)) => Some(rule.min(asked)),
            (rule, asked) => rule.or(asked),
        }),
        Known::Absent => Ok(rule),
        Known::Unknown => Err(Missing::Header("grpc-timeout")),
    }
}

/// What a gRPC upstream is told of the limit: that of a try, as Envoy's router tells it under Istio's routes.
pub fn told(limit: Option<u64>, per_try: Option<u64>, request: &Request<'_>) -> Option<u64> {
    let is_grpc = matches!(request.first(b"content-type"), Known::Present(kind) if is_grpc(kind));
    let shorter = per_try.filter(|per_try| limit.is_none_or(|limit| *per_try < limit));
    shorter.or(limit).filter(|_| is_grpc)
}

/// A limit in gRPC's wire format, which has eight digits.
pub fn wire(milliseconds: u64) -> String {
    if milliseconds < 100_000_000 { format!("{milliseconds}m") } else { format!("{}S", milliseconds / 1000) }
}

/// `application/grpc`, alone or with a suffix such as `+proto`.
fn is_grpc(content_type: &[u8]) -> bool {
    content_type.strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
}

/// gRPC's wire format: up to eight digits and a unit; in milliseconds, rounded up, so that a limit never vanishes.
fn parse(asked: &[u8]) -> Option<u64> {
    let (unit, digits) = asked.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = core::str::from_utf8(digits).ok()?.parse().ok()?;
    let nanoseconds: u64 = match unit {
        b'H' => 3_600_000_000_000,
        b'M' => 60_000_000_000,
        b'S' => 1_000_000_000,
        b'm' => 1_000_000,
        b'u' => 1_000,
        b'n' => 1,
        _ => return None,
    };
    let total = u128::from(number).checked_mul(u128::from(nanoseconds))?;
    // 0 means no limit to Envoy's router; a caller cannot lift the rule's.
    u64::try_from(total.div_ceil(1_000_000)).ok().filter(|ms| *ms > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_asks_for_less_but_never_for_more() {
        let cases: [(&[u8], &[u8], Option<u64>, Option<u64>); 10] = [
            (b"application/grpc", b"0S", Some(2000), Some(2000)),
            (b"application/grpc", b"00000000m", None, None),
            (b"application/grpc", b"+5S", None, None),
            (b"application/grpc", b"500m", Some(2000), Some(500)),
            (b"application/grpc+proto", b"5S", Some(2000), Some(2000)),
            (b"application/grpc", b"5S", None, Some(5000)),
            (b"application/grpc", b"1u", None, Some(1)),
            (b"application/grpc", b"soon", Some(7), Some(7)),
            (b"application/grpc-web", b"1S", Some(7000), Some(7000)),
            (b"text/plain", b"1S", None, None),
        ];
        for (kind, asked, rule, expected) in cases {
            let headers: [(&[u8], &[u8]); 2] = [(b"content-type", kind), (b"grpc-timeout", asked)];
            assert_eq!(effective(rule, &Request::new(&headers, None)), Ok(expected), "{asked:?}");
        }
    }

    #[test]
    fn a_grpc_upstream_is_told_the_limit_of_a_try() {
        let headers: [(&[u8], &[u8]); 1] = [(b"content-type", b"application/grpc")];
        let request = Request::new(&headers, None);
        for (limit, per_try, expected) in [
            (Some(2000), None, Some(2000)),
            (Some(2000), Some(500), Some(500)),
            (Some(500), Some(2000), Some(500)),
            (None, Some(500), Some(500)),
            (None, None, None),
        ] {
            assert_eq!(told(limit, per_try, &request), expected);
        }
        assert_eq!(told(Some(1), None, &Request::new(&[], None)), None);
        assert_eq!([wire(99_999_999), wire(100_000_000)], ["99999999m", "100000S"]);
    }
}
