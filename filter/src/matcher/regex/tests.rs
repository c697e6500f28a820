use super::Regex;

fn matches(pattern: &str, text: &[u8]) -> bool {
    Regex::new(pattern, super::CACHE).unwrap_or_else(|e| panic!("{e}")).matches(text)
}

#[test]
fn a_regex_matches_the_whole_text() {
    for (pattern, text, expected) in [
        ("/a", "/a", true),
        ("/a", "/ab", false),
        ("a|ab", "ab", true),
        ("", "", true),
        ("", "a", false),
        ("^/a$", "/a", true),
        (".*", "", true),
        ("a.*?", "abc", true),
        ("(?i)/API", "/api", true),
        ("/v[0-9]+/x", "/v12/x", true),
        ("a$|ab", "ab", true),
        ("(?m)a$", "a", true),
        (".*", "a\nb", false),
        ("(?s).*", "a\nb", true),
        ("^(.*?;)?(user=jason)(;.*)?$", "a=1; user=jason", false),
        ("^(.*?; )?(user=jason)(;.*)?$", "a=1; user=jason;b", true),
    ] {
        assert_eq!(matches(pattern, text.as_bytes()), expected, "{pattern} {text:?}");
    }
}

#[test]
fn a_dot_is_one_code_point_and_never_an_invalid_byte() {
    assert!(matches("a.b", "aéb".as_bytes()));
    assert!(!matches("a..b", "aéb".as_bytes()));
    assert!(!matches(".*", b"caf\xe9"));
    assert!(!matches("a[^x]b", b"a\xffb"));
    assert!(matches("(?i)A.B", "aéb".as_bytes()));
    assert!(!matches("(?i)A..B", "aéb".as_bytes()));
    assert!(!matches("(?i).*", b"caf\xe9"));
}

#[test]
fn perl_classes_and_word_boundaries_are_ascii() {
    assert!(!matches("\\d", "\u{0663}".as_bytes()));
    assert!(matches("[\\d.]+", b"1.2"));
    assert!(!matches("\\w", "é".as_bytes()));
    assert!(matches("[^\\W]+", b"ab"));
    assert!(!matches("\\s", b"\x0b"));
    assert!(matches("\\ba\\b.*", b"a b"));
    assert!(matches("a\\D", "aé".as_bytes()));
}

#[test]
fn ignored_case_is_that_of_ascii_letters_and_of_their_group() {
    for (pattern, text, expected) in [
        ("(?i)a[b-d]E", "ACe", true),
        ("(?i)/[^/]", "/é", true),
        ("(?i)\\W", "é", true),
        ("(?i)[^a]", "A", false),
        ("(?i)[[:lower:]]+", "aB", true),
        ("a(?i)b", "aB", true),
        ("a(?i)b", "AB", false),
        ("(?i:a)b", "Ab", true),
        ("(?i:a)b", "AB", false),
        ("(?i)a(?-i)b", "AB", false),
        ("(?is).a", "\nA", true),
        ("(?i)(?-s:.)a", "\nA", false),
        ("(?i)k", "\u{212a}", true),
        ("(?i)[a-z]", "\u{17f}", true),
        ("(?i)\\x41", "a", true),
    ] {
        assert_eq!(matches(pattern, text.as_bytes()), expected, "{pattern} {text:?}");
    }
}

#[test]
fn what_re2_does_not_take_is_refused_with_what_to_write_instead() {
    for (pattern, message) in [
        ("*", "regex `*` is not valid at character 1: repetition operator missing expression"),
        ("a[b[c]]", "regex `a[b[c]]`: a `[` inside `[…]` means itself in RE2: write `\\[`"),
        ("[a&&b]", "regex `[a&&b]`: RE2 has no `&&`, `--` and `~~` inside `[…]`: escape them by `\\`"),
        ("(?x)a", "regex `(?x)a`: RE2 has no flag `x`, only `i`, `m`, `s` and `U`"),
        ("\\pL", "regex `\\pL`: Unicode classes (`\\p{…}`) are not supported: write the ranges out"),
        ("a{1001}", "regex `a{1001}`: a repetition of 1001 is more than RE2's 1000"),
        ("\\b{start}a", "regex `\\b{start}a`: RE2 has no `\\b{…}`, `\\<` and `\\>`: write `\\b`"),
        ("\\u00e9", "regex `\\u00e9`: RE2 has no `\\u` and `\\U`: write `\\x{…}`"),
        ("\\Qa.b\\E", "regex `\\Qa.b\\E`: `\\Q…\\E` and `\\C` are not supported: escape each character by `\\`"),
        ("a**", "regex `a**`: RE2 takes no repetition of a repetition: put the first into `(?:…)`, or write `*` once"),
        (
            "a{2}{3}",
            "regex `a{2}{3}`: RE2 takes no repetition of a repetition: put the first into `(?:…)`, or write `{3}` once",
        ),
        ("(?:a{100}){11}", "regex `(?:a{100}){11}`: a repetition of 1100 is more than RE2's 1000"),
        ("a{ 2 }", "regex `a{ 2 }`: RE2 reads `{` with a space in it as itself: write `\\{`, or leave the space out"),
        ("[--/]", "regex `[--/]`: `[--…]` is a range in RE2: write `\\-`"),
        ("(?i)é", "regex `(?i)é`: ignoring the case of `é` is not supported: write both cases in `[…]`"),
        ("(a", "regex `(a` is not valid at character 1: unclosed group"),
        (
            "(?=a)",
            "regex `(?=a)` is not valid at character 1: look-around, including look-ahead and look-behind, is not supported",
        ),
        ("(a)\\1", "regex `(a)\\1` is not valid at character 4: backreferences are not supported"),
        ("((a{1000}){1000}){1000}", "regex `((a{1000}){1000}){1000}`: a repetition of 1000000 is more than RE2's 1000"),
    ] {
        assert_eq!(Regex::new(pattern, super::CACHE).err().as_deref(), Some(message), "{pattern}");
    }
    let long = "a".repeat(1025);
    assert_eq!(
        Regex::new(&long, super::CACHE).err().as_deref(),
        Some("the regex has 1025 bytes, at most 1024 are allowed")
    );
}
