//! Paths as the generated connection manager leaves them (`normalize_path`), for requests that no Envoy has seen.
//!
//! Rules as Envoy 1.40.0 was seen to apply them (`envoy.md` 1.7 and the table below): `.` and `..` segments are resolved,
//! `\` is `/`, escapes of unreserved characters are undone, characters that do not belong into a path are escaped, other
//! escapes and double slashes stay, the query is not touched.

/// A `:path` as it reaches the filters. One that does not begin with `/` (`*`, an empty one) stays as it is.
pub fn normalize(path: &[u8]) -> Vec<u8> {
    if path.first() != Some(&b'/') {
        return path.to_vec();
    }
    let (path, rest) = switchyard_filter::request::split_path(path);
    let mut out: Vec<u8> = Vec::with_capacity(path.len() + rest.len());
    let mut segments = path.split(|b| is_slash(*b)).skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let dots = dots(segment);
        if dots == Some(2) {
            out.truncate(out.iter().rposition(|b| *b == b'/').unwrap_or(0));
        }
        if dots.is_none() || is_last {
            out.push(b'/');
        }
        if dots.is_none() {
            push_segment(segment, &mut out);
        }
    }
    out.extend_from_slice(rest);
    out
}

fn is_slash(byte: u8) -> bool {
    byte == b'/' || byte == b'\\'
}

/// 1 for `.`, 2 for `..`, escaped or not; parameters count as part of it only where the dots are written plainly.
fn dots(segment: &[u8]) -> Option<usize> {
    match segment.split(|b| *b == b';').next() {
        Some(b".") => return Some(1),
        Some(b"..") => return Some(2),
        _ => {}
    }
    let mut rest = segment;
    let mut count = 0;
    while let Some(after) =
        [&b"."[..], b"%2e", b"%2E"].iter().find_map(|dot| rest.strip_prefix(*dot)).filter(|_| count < 2)
    {
        rest = after;
        count += 1;
    }
    (rest.is_empty() && count > 0).then_some(count)
}

fn push_segment(segment: &[u8], out: &mut Vec<u8>) {
    let mut rest = segment;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match *byte {
            b'%' => match escaped(after) {
                Some(plain) if plain.is_ascii_alphanumeric() || b"-._~".contains(&plain) => {
                    out.push(plain);
                    rest = after.get(2..).unwrap_or_default();
                }
                _ => out.push(b'%'),
            },
            b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' => out.extend(format!("%{byte:02X}").into_bytes()),
            byte => out.push(byte),
        }
    }
}

fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::normalize;

    /// Each row was seen in Envoy 1.40.0 with `normalize_path: true`.
    #[test]
    fn paths_come_out_as_envoy_was_seen_to_leave_them() {
        for (sent, seen) in [
            ("/a//b/../c", "/a//c"),
            ("/a/%2e%2e/b", "/b"),
            ("/..", "/"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/./", "/a/"),
            ("/a/b/%2E", "/a/b/"),
            ("/x%2e%2e/y", "/x../y"),
            ("/x/%2e./y", "/y"),
            ("/a%2fb", "/a%2fb"),
            ("/%7euser/%41", "/~user/A"),
            ("/a\\b", "/a/b"),
            ("/a\\..\\b", "/b"),
            ("/a%5cb", "/a%5cb"),
            ("/a;x=1/../b?q=/../x", "/b?q=/../x"),
            ("/a?x/../y", "/a?x/../y"),
            ("//x/../y", "//y"),
            ("//", "//"),
            ("//../x", "/x"),
            ("/a//../b", "/a/b"),
            ("/%zz", "/%zz"),
            ("/a%", "/a%"),
            ("/%2e%2", "/.%2"),
            ("/a/...", "/a/..."),
            ("/a/.;/b", "/a/b"),
            ("/a/..;x=1/b", "/b"),
            ("/a/.;x", "/a/"),
            ("/a/%2e%2e;/b", "/a/..;/b"),
            ("/a/...;/b", "/a/...;/b"),
            ("/a/..%3b/b", "/a/..%3b/b"),
            ("/%41%2f..%2fb", "/A%2f..%2fb"),
            ("/a/..?x=..", "/?x=.."),
            ("/a?q=\\..", "/a?q=\\.."),
            ("/%21%22%27%28%2A%2b%2d%2E%5f%60%7C%7b", "/%21%22%27%28%2A%2b-._%60%7C%7b"),
            ("/!\"'()*+,-.:;<=>@[]^_`|~$&", "/!%22'()*+,-.:;%3C=%3E@[]%5E_%60%7C~$&"),
            ("/{}/|", "/%7B%7D/%7C"),
            ("/a/%c3%A9", "/a/%c3%A9"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(normalize(sent.as_bytes())).unwrap(), seen, "{sent}");
        }
    }
}
