use super::*;

use serde_json::json;

fn one(text: &str) -> Node {
    let (mut documents, problems) = load(text);
    assert_eq!(problems, [], "{text}");
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0)
}

/// Every problem as `line:column message (help)`.
fn problems(text: &str) -> Vec<String> {
    let (_, problems) = load(text);
    problems
        .iter()
        .map(|p| {
            let help = p.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            let also = p.also.map(|(at, why)| format!(" [{why} {}:{}]", at.line, at.column)).unwrap_or_default();
            format!("{}:{} {}{help}{also}", p.span.line, p.span.column, p.message)
        })
        .collect()
}

const POLICY: &str = "\
apiVersion: networking.istio.io/v1
metadata: {name: catalogdetail, labels: {app.kubernetes.io/name: shop}}
spec:
  http:
  - name: internal
    match:
    - uri: {prefix: /a}
    - headers:
        user-type: {exact: yes}
        x.y: {exact: \"yes\"}
    route:
    - destination: {host: ä}
      weight: 1_0
";

#[test]
fn a_manifest_is_what_kubernetes_reads() {
    assert_eq!(
        one(POLICY).to_json(),
        json!({
            "apiVersion": "networking.istio.io/v1",
            "metadata": {"name": "catalogdetail", "labels": {"app.kubernetes.io/name": "shop"}},
            "spec": {"http": [{
                "name": "internal",
                "match": [
                    {"uri": {"prefix": "/a"}},
                    {"headers": {"user-type": {"exact": true}, "x.y": {"exact": "yes"}}},
                ],
                "route": [{"destination": {"host": "ä"}, "weight": 10}],
            }]},
        })
    );
}

#[test]
fn a_path_leads_to_the_line() {
    let node = one(POLICY);
    let slice = |span: Span| POLICY.get(span.start..span.end).unwrap_or_default().to_owned();
    // Path, value or key, line, column, text.
    let table = [
        ("spec.http[0].match[1].headers.user-type.exact", false, 9, 28, "yes"),
        ("spec.http[0].match[1].headers.user-type.exact", true, 9, 21, "exact"),
        ("spec.http[0].match[1].headers[\"x.y\"].exact", false, 10, 22, "\"yes\""),
        ("metadata.labels[\"app.kubernetes.io/name\"]", false, 2, 66, "shop"),
        ("spec.http[0].route[0].weight", false, 13, 15, "1_0"),
        ("spec.http[0].route[0].destination.host", false, 12, 27, "ä"),
        // A list or map is shown by its key, an element by its first key.
        ("spec.http", false, 4, 3, "http"),
        ("spec.http[0]", false, 5, 5, "name"),
        ("spec.http[0].match[0].uri", false, 7, 7, "uri"),
        // What is not there: the nearest ancestor.
        ("spec.http[0].route[0].destination.port.number", false, 12, 7, "destination"),
        ("spec.http[0].route[7].weight", false, 11, 5, "route"),
        ("spec.tls", true, 3, 1, "spec"),
        ("", false, 1, 1, "apiVersion"),
    ];
    for (path, key, line, column, text) in table {
        let parsed = Path::parse(path);
        let span = if key { node.locate_key(&parsed) } else { node.locate(&parsed) };
        assert_eq!((span.line, span.column, slice(span).as_str()), (line, column, text), "{path}");
        assert_eq!(parsed.to_string(), path);
    }
    let path = Path::root().field("headers").field("a\"\\.b").index(3);
    assert_eq!(path.to_string(), r#"headers["a\"\\.b"][3]"#);
    assert_eq!(Path::parse(&path.to_string()), path);
    assert_eq!(node.at(&Path::parse("spec.http[0].route[0].weight")).and_then(Node::raw), Some("1_0"));
}

#[test]
fn a_path_is_read_whatever_it_is() {
    for text in ["[", "[\"", "[\"a", "a[b", ".", "..", "a..b", "[99999999999999999999]", "ä.ö[1]"] {
        assert!(!Path::parse(text).to_string().is_empty() || text.contains('.'), "{text}");
    }
}

#[test]
fn documents_that_say_nothing_are_left_out() {
    let (documents, problems) = load("---\n# only a comment\n---\na: 1\n---\n\n---\nb: 2\n...\n");
    assert_eq!(problems, []);
    assert_eq!(documents.iter().map(Node::to_json).collect::<Vec<_>>(), [json!({"a": 1}), json!({"b": 2})]);
    assert_eq!(load(""), (vec![], vec![]));
    assert_eq!(load("# nothing\n"), (vec![], vec![]));
}

#[test]
fn json_is_yaml() {
    assert_eq!(
        one("{\"a\": [1, 2.5, null, true, \"yes\"],\n\t\"b\": {\"\\u00e9\": \"\\n\"}}\n").to_json(),
        json!({"a": [1, 2.5, null, true, "yes"], "b": {"é": "\n"}})
    );
}

#[test]
fn windows_line_ends_and_text_blocks() {
    let node = one("a: 1\r\nb: |\r\n  x\r\n  y\r\nc: >-\r\n  p\r\n  q\r\n");
    assert_eq!(node.to_json(), json!({"a": 1, "b": "x\ny\n", "c": "p q"}));
    assert_eq!(node.locate(&Path::parse("c")).line, 6);
}

#[test]
fn anchors_and_merges_are_read() {
    let text = "\
base: &base {a: 1, b: 2}
more: &more {b: 3, c: 4}
one: *base
two: {<<: *base, b: 9}
three:
  <<: [*more, *base]
  d: 5
quoted: {\"<<\": 1}
";
    assert_eq!(
        one(text).to_json(),
        json!({
            "base": {"a": 1, "b": 2}, "more": {"b": 3, "c": 4}, "one": {"a": 1, "b": 2}, "two": {"a": 1, "b": 9},
            "three": {"a": 1, "b": 3, "c": 4, "d": 5}, "quoted": {"<<": 1},
        })
    );
    // A value that is repeated has the place where it is written.
    assert_eq!(one(text).locate(&Path::parse("three.c")).line, 2);
    assert_eq!(problems("a: {<<: 1}\n"), ["1:5 `<<` takes a map or a list of maps"]);
}

#[test]
fn core_tags_are_taken_and_others_refused() {
    assert_eq!(
        one("{a: !!str 5, b: !!int '5', c: !!float 1, d: !!bool yes, e: !!null '', f: !!map {}, g: !!seq [], h: ! on}")
            .to_json(),
        json!({"a": "5", "b": 5, "c": 1, "d": true, "e": null, "f": {}, "g": [], "h": "on"})
    );
    assert_eq!(
        problems("a: !secret x\nb: !!int x\nc: !!binary aGk=\nd: !!seq {}\ne: !env [1]\n"),
        [
            "1:4 the tag `!secret` means nothing here (leave it out)",
            "2:10 `x` is no `!!int`",
            "3:4 the tag `!!binary` means nothing here (leave it out)",
            "4:4 the tag `!!seq` means nothing here (leave it out)",
            "5:4 the tag `!env` means nothing here (leave it out)",
        ]
    );
}

#[test]
fn every_bad_key_of_a_document_is_told() {
    assert_eq!(
        problems("a: 1\nb: {c: 1, \"c\": 2}\na: 2\non: x\n1: y\n1.5: z\n~: n\n? [p, q]\n: r\n'yes': fine\n: v\n"),
        [
            "2:11 the key `c` is written twice [first written here 2:5]",
            "3:1 the key `a` is written twice [first written here 1:1]",
            "4:1 the key `on` is no string: unquoted, YAML reads a boolean (quote it: `\"on\"`)",
            "5:1 the key `1` is no string: unquoted, YAML reads a number (quote it: `\"1\"`)",
            "6:1 the key `1.5` is no string: unquoted, YAML reads a number (quote it: `\"1.5\"`)",
            "7:1 the key `~` is no string: unquoted, YAML reads nothing (quote it: `\"~\"`)",
            "8:3 a list cannot be a key",
            "11:1 a key is missing before `:`",
        ]
    );
}

#[test]
fn numbers_that_json_has_not_are_refused() {
    assert_eq!(problems("a: .inf\nb: '.inf'\n"), ["1:4 `.inf` is no number that JSON has (quote it: `\".inf\"`)"]);
}

#[test]
fn unreadable_yaml_is_told_with_its_place_and_later_documents_are_read() {
    let (documents, problems) = load("a: 1\n---\nb: [1, 2\n---\nc: 3\n");
    assert_eq!(documents.iter().map(Node::to_json).collect::<Vec<_>>(), [json!({"a": 1}), json!({"c": 3})]);
    assert_eq!(problems.len(), 1);
}

#[test]
fn the_words_for_unreadable_yaml() {
    let seen: Vec<_> = [
        "a: \"open\nb: 1\n",
        "a:\n\tb: 1\n",
        "a: b: c\n",
        "a: [1, 2\n",
        "a: {b: 1\nc: 2\n",
        "a: 1\n  b: 2\n",
        "a: *nowhere\n",
        "- a\nb: 1\n",
        "a: 1\n- b: 2\n",
        "- a: 1\n  - b: 2\n",
        "a: @x\n",
        "a: %x\n",
        "a: 'b\n",
        "a: \"\\q\"\n",
        "a: 1\n b: 2\n",
        "a: &x [*x]\n",
    ]
    .into_iter()
    .flat_map(problems)
    .collect();
    insta::assert_snapshot!(seen.join("\n"), @r#"
    2:1 unreadable YAML: invalid indentation in multiline quoted scalar (close the quote that was opened before)
    2:2 unreadable YAML: tabs disallowed within this context (block indentation) (indent with spaces: YAML takes no tabs there)
    1:5 unreadable YAML: mapping values are not allowed in this context (quote a value that contains `: `, and indent the keys of one map equally)
    1:4 unreadable YAML: unclosed bracket '['
    2:2 unreadable YAML: while parsing a flow mapping, did not find expected ',' or '}'
    2:4 unreadable YAML: mapping values are not allowed in this context (quote a value that contains `: `, and indent the keys of one map equally)
    1:4 unreadable YAML: while parsing node, found unknown anchor
    2:1 unreadable YAML: while parsing a block collection, did not find expected '-' indicator
    2:3 unreadable YAML: while parsing a block mapping, did not find expected key (`-` begins an item of a list, and here are the keys of a map: leave it out, or indent it below its key)
    2:5 unreadable YAML: while parsing a block mapping, did not find expected key (`-` begins an item of a list, and here are the keys of a map: leave it out, or indent it below its key)
    1:4 unreadable YAML: unexpected character: `@' (quote it)
    1:4 unreadable YAML: unexpected character: `%' (quote it)
    2:1 unreadable YAML: invalid indentation in multiline quoted scalar (close the quote that was opened before)
    1:4 unreadable YAML: while parsing a quoted scalar, found unknown escape character
    2:3 unreadable YAML: mapping values are not allowed in this context (quote a value that contains `: `, and indent the keys of one map equally)
    1:8 the alias stands inside of what it names
    "#);
}

#[test]
fn a_bomb_is_refused_before_it_is_big() {
    let mut bomb = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned()];
    for level in 1..30 {
        let below = level - 1;
        let aliases = vec![format!("*a{below}"); 10].join(", ");
        bomb.push(format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(problems(&bomb.concat()), ["5:45 aliases repeat more than 100000 values"]);

    let mut merges = vec!["a0: &a0 {k: {x: 1, z: 1}}\n".to_owned()];
    for level in 1..40 {
        let below = level - 1;
        merges.push(format!("a{level}: &a{level} {{l: {{<<: *a{below}}}, r: {{<<: *a{below}}}}}\n"));
    }
    assert_eq!(problems(&merges.concat()), ["15:20 aliases repeat more than 100000 values"]);
}

#[test]
fn depth_is_bounded_also_through_aliases() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(problems(&deep(MAX_DEPTH)), [] as [&str; 0]);
    assert_eq!(problems(&deep(MAX_DEPTH + 1)).len(), 1);
    assert_eq!(problems(&deep(100_000)).len(), 1);
    assert_eq!(problems(&"- ".repeat(100_000)).len(), 1);
    let block: Vec<_> = (0..5000).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    assert_eq!(problems(&block.concat()).len(), 1);
    let aliased = format!("- &a {}\n- {}*a{}\n", deep(60), "[".repeat(60), "]".repeat(60));
    assert_eq!(problems(&aliased), ["2:63 nested deeper than 100 levels"]);
}

#[test]
fn a_map_of_many_keys_is_read_in_time() {
    let text: Vec<_> = (0..100_000).map(|n| format!("k{n}: {n}\n")).collect();
    assert_eq!(one(&text.concat()).entries().len(), 100_000);
}
