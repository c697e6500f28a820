//! File names of resources: readable, distinct for distinct resources, short enough for every file system.

use xxhash_rust::xxh3::xxh3_64;

/// Longer names are cut and told apart by their hash. File systems take 255 bytes.
const LONGEST: usize = 200;

/// `<prefix>-<resource>.yaml`, or `<resource>.yaml` without a prefix. `|` is written `_` and `/` as `-`; other characters
/// than ASCII letters, digits, `.` and `-` as `%XX`, and so are `_` and a `.` at the start, so that no two resources of a
/// kind share a file: `switchyard/` at the start of a plugin's name says nothing and is left out.
pub fn file(prefix: &str, resource: &str) -> String {
    let mut name = String::new();
    for byte in resource.strip_prefix("switchyard/").unwrap_or(resource).bytes() {
        match byte {
            b'|' => name.push('_'),
            b'.' if name.is_empty() => name.push_str("%2E"),
            b'.' | b'-' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => name.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    if name.len() > LONGEST {
        name.truncate(LONGEST);
        name = format!("{name}~{:016x}", xxh3_64(resource.as_bytes()));
    }
    if prefix.is_empty() { format!("{name}.yaml") } else { format!("{prefix}-{name}.yaml") }
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_and_distinct() {
        assert_eq!(file("", "outbound|3000|v1|shop.demo"), "outbound_3000_v1_shop.demo.yaml");
        assert_eq!(file("policy", "switchyard/mesh"), "policy-mesh.yaml");
        assert_eq!(file("", "a_b/../c"), "a%5Fb%2F..%2Fc.yaml");
        assert_eq!(file("", ".switchyard"), "%2Eswitchyard.yaml");
        let long = |end| file("", &format!("{}{end}", "a".repeat(300)));
        assert_ne!(long("1"), long("2"));
        assert!(long("1").len() < 255);
    }
}
