//! Paths as the generated connection manager hands them to filters (`normalize_path`: envoy.md 1.7).

/// The path with `.` and `..` segments resolved, `\` read as `/`, and the query as it came. Anything that does not begin
/// with `/` stays: `*`, nothing.
pub fn normalize(target: &str) -> String {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let (path, query) = target.split_at(end);
    let Some(rest) = path.strip_prefix(['/', '\\']) else { return target.to_owned() };
    let rest = rest.replace('\\', "/");
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match &*segment.to_ascii_lowercase().replace("%2e", ".") {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_resolved_and_slashes_kept() {
        for (target, expected) in [
            ("/", "/"),
            ("/a//b", "/a//b"),
            ("/a/../b?x=../y", "/b?x=../y"),
            ("/a/./b/.", "/a/b/"),
            ("/a/b/..", "/a/"),
            ("/..", "/"),
            ("/a/%2e%2E/b", "/b"),
            ("/a%2fb", "/a%2fb"),
            ("/a\\b", "/a/b"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(normalize(target), expected, "{target}");
        }
    }
}
