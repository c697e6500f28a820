use super::*;
use crate::draw::Draws;
use crate::request::{Header, Unlisted};
use crate::{compile_json, decide};

const POLICY: &str = r#"{"tags": [{"header": "user-type", "rules": [{"value": "internal"}]}], "virtualServices": [
    {"name": "shop", "hosts": ["shop"], "http": [{"match": [{"uri": {"prefix": "/plain"}}],
        "route": [{"destination": {"host": "shop"}}]}, {"rewrite": {"uri": "/new"}, "headers": {
        "request": {"set": {"x-type": "%REQ(user-type)%", "x-from": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
            "x-envoy-original-path": "/mine"}, "add": {"x-more": "%REQ(x-user)% %PROTOCOL%"}, "remove": ["x-gone"]},
        "response": {"set": {"y-path": "%REQ(:path)%"}, "add": {"y-from": "%REQ(x-envoy-original-path)%"}}},
        "route": [{"destination": {"host": "shop"}}]}]}]}"#;

fn shown(decision: &Decision<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let request = decision.changed.iter().map(|changed| {
        let values: Vec<_> = changed.values.iter().map(|value| text(value)).collect();
        format!("{}={}", changed.name, values.join("|"))
    });
    let response = decision.response.iter().map(|edit| match edit {
        ResponseEdit::Remove(name) => format!("-{name}"),
        ResponseEdit::Set(name, value) => format!("{name}:={}", text(value)),
        ResponseEdit::Add(name, value) => format!("{name}+={}", text(value)),
    });
    request.chain(response).collect::<Vec<_>>().join("; ")
}

fn run(lines: &[Header<'_>], unlisted: Unlisted<'_>, source: Known<IpAddr>) -> String {
    let policy = compile_json(POLICY.as_bytes()).unwrap();
    let request = Request::recorded(lines, unlisted, source, true);
    shown(&decide(&policy, &request, &Draws { fresh: Some(1), ..Draws::default() }))
}

const ASKED: [Header<'_>; 5] = [
    (b":path", b"/a?b"),
    (b":authority", b"shop"),
    (b"user-type", b"forged"),
    (b"x-user", b"ann"),
    (b"x-more", b"came"),
];

#[test]
fn operations_see_tags_and_leave_the_router_its_own() {
    let known = run(&ASKED, Unlisted::Absent, Known::Present([192, 0, 2, 7].into()));
    // `:path` of the response is the rewritten one; `x-envoy-original-path` is the router's, whatever a rule says.
    let expected = "x-gone=; x-from=192.0.2.7; x-type=internal; x-more=came|ann %PROTOCOL%; \
                    y-path:=/newa?b; y-from+=/a?b";
    assert_eq!(known, expected);
}

#[test]
fn what_a_recording_does_not_hold_stays_as_it_is_written() {
    let few = [ASKED[0], ASKED[1]];
    let shown = run(&few, Unlisted::UnknownExcept(&[]), Known::Unknown);
    assert!(shown.contains("x-from=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%; "), "{shown}");
    assert!(shown.contains("x-more=%REQ(x-user)% %PROTOCOL%; "), "{shown}");
    assert!(shown.contains("x-type=internal; "), "a tag is computed: {shown}");
}

#[test]
fn a_rule_without_operations_changes_nothing() {
    let plain = [(&b":path"[..], &b"/plain"[..]), ASKED[1]];
    assert_eq!(run(&plain, Unlisted::Absent, Known::Absent), "");
}

#[test]
fn a_policy_asks_for_the_facts_that_its_values_name() {
    use crate::connection::Facts;
    let policy = compile_json(POLICY.as_bytes()).unwrap();
    assert_eq!(policy.facts(), Facts::SOURCE.with(Facts::PROTOCOL));
}

#[test]
fn what_replaces_a_header_forgets_what_was_done_to_it() {
    let value = |text: &'static str| Cow::Borrowed(text.as_bytes());
    let mut edits = vec![
        ResponseEdit::Add("a".into(), value("1")),
        ResponseEdit::Add("b".into(), value("1")),
        ResponseEdit::Remove("c".into()),
    ];
    push(&mut edits, ResponseEdit::Set("a".into(), value("2")));
    push(&mut edits, ResponseEdit::Add("b".into(), value("2")));
    push(&mut edits, ResponseEdit::Set("c".into(), value("2")));
    let names: Vec<_> = edits.iter().map(ResponseEdit::name).collect();
    assert_eq!(names, ["b", "a", "b", "c"]);
}
