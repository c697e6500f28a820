//! Base64 as istiod reads it (seen, 1.29.1): with its padding, in the standard alphabet.

/// The bytes that a text stands for; `None` where it is no base64. Line breaks count for nothing, as in Go.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut letters, mut padding) = (Vec::new(), 0_u32, 0_usize, 0_usize);
    for letter in text.iter().filter(|b| !matches!(b, b'\r' | b'\n')) {
        if *letter == b'=' {
            padding = padding.saturating_add(1);
            continue;
        }
        let value = match letter {
            b'A'..=b'Z' => letter.wrapping_sub(b'A'),
            b'a'..=b'z' => letter.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => letter.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        held = held << 6 | u32::from(value);
        letters = letters.wrapping_add(1);
        if letters.is_multiple_of(4) {
            bytes.extend_from_slice(held.to_be_bytes().get(1..)?);
            held = 0;
        }
    }
    // What is left is moved to where a whole group would have it.
    let (last, kept, padded) = match letters % 4 {
        0 => (0, 0, padding == 0),
        2 => (held << 12, 1, padding == 2),
        3 => (held << 6, 2, padding == 1),
        _ => return None,
    };
    bytes.extend(last.to_be_bytes().iter().skip(1).take(kept));
    padded.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn as_istiod_reads_it() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("aGk=", b"hi"),
            ("aA==", b"h"),
            ("aGVs\nbG8h", b"hello!"),
            ("AAH/+w==", &[0, 1, 255, 251]),
            ("YR==", b"a"),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes), "{text}");
        }
        for wrong in ["a", "aGk==", "aA=", "a===", "aG k", "aGk=aGk=", "=", "é", "aGkaG", "aGk", "aA", "AAH_-w=="] {
            assert_eq!(decode(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
