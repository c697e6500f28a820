//! Which bytes a text of a request can hold.
//!
//! A smaller alphabet finds more rules that nothing reaches, and must never leave out what Envoy passes on. Envoy 1.37 was
//! seen to answer 400 to an HTTP/1 request whose target holds a byte outside of `!`…`~`, with `normalize_path` and
//! without; in HTTP/2 `normalize_path` (Istio's default, and ours) escapes such bytes.

/// The bytes that can occur in a kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// A path without query and fragment.
    Path,
    /// A value of a query.
    Query,
    /// A value of a header, pseudo headers included: HTTP refuses NUL, CR and LF only.
    Value,
}

impl Alphabet {
    /// Whether a byte can occur.
    pub fn has(self, byte: u8) -> bool {
        match self {
            Self::Path => byte.is_ascii_graphic() && byte != b'?' && byte != b'#',
            // What normalisation does not touch may be anything that is no control.
            Self::Query => byte > b' ' && byte != 0x7f && byte != b'&' && byte != b'#',
            Self::Value => !matches!(byte, 0 | b'\r' | b'\n'),
        }
    }
}

/// Every byte, those first that people read most easily in a request.
pub fn preferred() -> impl Iterator<Item = u8> {
    let plain = (b'a'..=b'z').chain(b'0'..=b'9').chain(*b"/-_.").chain(b'A'..=b'Z');
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(byte);
    let signs = (b'!'..=b'~').filter(move |byte| !is_plain(byte));
    let rest = (0..=u8::MAX).filter(|byte| !byte.is_ascii_graphic());
    plain.chain(signs).chain(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_there_once() {
        let mut all: Vec<_> = preferred().collect();
        assert_eq!(all.first(), Some(&b'a'));
        all.sort_unstable();
        assert!(all.into_iter().eq(0..=u8::MAX));
    }

    #[test]
    fn a_path_has_no_query_and_a_header_no_line_break() {
        for (alphabet, yes, no) in [
            (Alphabet::Path, &b"/a%~*{"[..], &b"?# \x7f\xff"[..]),
            (Alphabet::Query, b"?=a\xff", b"&# \n"),
            (Alphabet::Value, b" \t\xffa", b"\0\r\n"),
        ] {
            assert!(yes.iter().all(|byte| alphabet.has(*byte)), "{alphabet:?}");
            assert!(!no.iter().any(|byte| alphabet.has(*byte)), "{alphabet:?}");
        }
    }
}
