//! Header lines as a host hands them over, walked in place: count, the sizes of all, then each name and value with a NUL
//! behind (proxy-wasm.md 4.1).
//!
//! Bytes from outside: nothing about them is taken on trust, and nothing is copied.

use crate::request::Header;

/// The header lines of a host's answer, in order; `None` where the answer is malformed.
///
/// Bytes behind the last line are ignored, as other guests do.
pub fn decode(wire: &[u8]) -> Option<Vec<Header<'_>>> {
    let (count, rest) = number(wire)?;
    let (mut sizes, mut text) = rest.split_at_checked(count.checked_mul(8)?)?;
    // The sizes of all lines are there, so the answer is at least this long: no count can ask for too much memory.
    let mut lines = Vec::with_capacity(count);
    for _ in 0..count {
        let (name_size, rest) = number(sizes)?;
        let (value_size, rest) = number(rest)?;
        sizes = rest;
        let (name, rest) = terminated(text, name_size)?;
        let (value, rest) = terminated(rest, value_size)?;
        text = rest;
        lines.push((name, value));
    }
    Some(lines)
}

/// A little-endian number, and what follows.
fn number(wire: &[u8]) -> Option<(usize, &[u8])> {
    let (bytes, rest) = wire.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*bytes)).ok()?, rest))
}

/// So many bytes with a NUL behind, and what follows.
fn terminated(wire: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (bytes, rest) = wire.split_at_checked(size)?;
    Some((bytes, rest.strip_prefix(b"\0")?))
}

/// Header lines in the form that hosts read.
pub fn encode(lines: &[Header<'_>]) -> Vec<u8> {
    // No host takes a line of 4 GiB, and in the VM there is none.
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut wire = number(lines.len()).to_vec();
    for (name, value) in lines {
        wire.extend(number(name.len()));
        wire.extend(number(value.len()));
    }
    for (name, value) in lines {
        wire.extend_from_slice(name);
        wire.push(0);
        wire.extend_from_slice(value);
        wire.push(0);
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_that_is_cut_anywhere_is_malformed() {
        let wire = encode(&[(b":path", b"/caf\xe9"), (b"x-empty", b"")]);
        assert_eq!(decode(&wire), Some(vec![(&b":path"[..], &b"/caf\xe9"[..]), (b"x-empty", b"")]));
        for end in 0..wire.len() {
            assert_eq!(decode(&wire[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn counts_and_sizes_that_lie_are_malformed() {
        let line = encode(&[(b"a", b"b")]);
        for (at, value) in [(0, u32::MAX), (0, 2), (4, u32::MAX), (4, 2), (8, u32::MAX), (8, 0)] {
            let mut wire = line.clone();
            wire[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert_eq!(decode(&wire), None, "{value} at {at}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(wire: Vec<u8>) {
            let _ = decode(&wire);
        }

        // Arbitrary bytes hardly ever have sizes that fit; a valid answer with some bytes changed does.
        #[test]
        fn no_damage_panics(
            lines: Vec<(Vec<u8>, Vec<u8>)>,
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
            let mut wire = encode(&lines);
            prop_assert_eq!(decode(&wire), Some(lines));
            for (at, byte) in damage {
                let at = at.index(wire.len());
                wire[at] = byte;
            }
            let _ = decode(&wire);
        }
    }
}
