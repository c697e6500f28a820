//! JSON strings as the bytes that Envoy had.
//!
//! Envoy writes a value that is UTF-8 as it is, and of any other value each byte above 127 as `\u00XX` (seen in 1.40.0).
//! So a character that stands in the file is its UTF-8 bytes, and an escape up to `\u00ff` is one byte.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A line that a JSON parser can read: bytes that are no UTF-8, which a logger of another make may have left, are escaped.
pub fn to_utf8(line: &[u8]) -> Cow<'_, str> {
    if let Ok(line) = std::str::from_utf8(line) {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len() + 16);
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\u00{byte:02x}");
        }
    }
    Cow::Owned(text)
}

/// The bytes of a valid JSON string, quotes included in `json`.
pub fn bytes(json: &str) -> Vec<u8> {
    let text = json.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.extend_from_slice(plain.as_bytes());
        rest = push_escape(escape, &mut out);
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// Reads what follows a `\` and returns the rest.
fn push_escape<'a>(escape: &'a str, out: &mut Vec<u8>) -> &'a str {
    let mut chars = escape.chars();
    let byte = match chars.next() {
        Some('n') => b'\n',
        Some('t') => b'\t',
        Some('r') => b'\r',
        Some('b') => 8,
        Some('f') => 12,
        Some('u') => return push_unicode(chars.as_str(), out),
        Some(other) => {
            out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
            return chars.as_str();
        }
        None => b'\\',
    };
    out.push(byte);
    chars.as_str()
}

fn push_unicode<'a>(digits: &'a str, out: &mut Vec<u8>) -> &'a str {
    let Some((unit, mut rest)) = unit(digits) else {
        return digits;
    };
    if let Ok(byte) = u8::try_from(unit) {
        out.push(byte);
        return rest;
    }
    let mut units = vec![unit];
    if (0xd800..0xdc00).contains(&unit)
        && let Some((low, after)) = rest.strip_prefix("\\u").and_then(self::unit)
        && (0xdc00..0xe000).contains(&low)
    {
        units.push(low);
        rest = after;
    }
    out.extend_from_slice(String::from_utf16_lossy(&units).as_bytes());
    rest
}

fn unit(digits: &str) -> Option<(u16, &str)> {
    let (hex, rest) = digits.split_at_checked(4)?;
    Some((u16::from_str_radix(hex, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left: what Envoy 1.40.0 wrote for the bytes on the right.
    #[test]
    fn every_byte_comes_back_as_it_was() {
        for (json, expected) in [
            (r#""caf\u00e9""#, &b"caf\xe9"[..]),
            ("\"café\"", "café".as_bytes()),
            (r#""\u00ff\u00fe""#, b"\xff\xfe"),
            (r#""\u00c3\u00a9\u00e9""#, b"\xc3\xa9\xe9"),
            (r#""a\"\\b\tx\n\r\b\f\/""#, b"a\"\\b\tx\n\r\x08\x0c/"),
            (r#""\u20ac\ud834\udd1e""#, "€𝄞".as_bytes()),
            (r#""\ud834""#, "\u{fffd}".as_bytes()),
            (r#""""#, b""),
        ] {
            assert_eq!(bytes(json), expected, "{json}");
        }
    }

    #[test]
    fn a_line_with_raw_bytes_still_reads() {
        let line = b"{\"a\":\"x\xffy\"}";
        assert_eq!(to_utf8(line), r#"{"a":"x\u00ffy"}"#);
        assert_eq!(bytes(r#""x\u00ffy""#), b"x\xffy");
    }
}
