//! What a decision changes in the request's headers: as little as possible, each header at most once.
//!
//! The shell carries the edits out; a host without Envoy can apply them to a list. Every edit costs a host call, and the
//! first one a second route match in Envoy (envoy.md 8.1b), so what is right already is left alone.

use crate::decision::{Action, Decision};
use crate::document::{ControlHeaders, Mode};
use crate::headers;
use crate::operations::Changed;
use crate::policy::Policy;
use crate::request::{Header, Request};
use std::borrow::Cow;

/// One change of the request's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Every line of this name goes.
    Remove(&'a [u8]),
    /// The header gets this value. There is one line of this name at most by then: Envoy's replace would leave further
    /// ones (`HeaderMapImpl::setCopy` overwrites the first).
    Set(Cow<'a, str>, Cow<'a, [u8]>),
    /// The header gets another line.
    Add(Cow<'a, str>, Cow<'a, [u8]>),
}

/// The changes that a decision asks for, in the order to make them. None for a request that is answered here. Where the
/// policy only observes, a client's `x-switchyard-` headers go and nothing else changes: the routes that read them may be
/// there already, and a client must not choose among clusters. An abort that [is the filter's own](Decision::own_fault) comes in their place.
pub fn edits<'d>(policy: &'d Policy, decision: &'d Decision<'_>, request: &Request<'d>) -> Vec<Edit<'d>> {
    if policy.mode() == Mode::Observe {
        let removes = policy.control_headers() == ControlHeaders::Remove;
        return removals(request, |name| removes && headers::is_own(name));
    }
    if matches!(decision.action, Action::Reply(_)) {
        return Vec::new();
    }
    let mut edits = removals(request, |name| decision.removes(policy, name));
    for (name, value) in decision.request_headers(policy) {
        set(&mut edits, request, name, value);
    }
    for changed in &decision.changed {
        change(&mut edits, request, changed);
    }
    if let Some(forward) = decision.forward() {
        if let Some(authority) = &forward.destination.authority {
            set(&mut edits, request, ":authority".into(), Cow::Borrowed(authority.as_bytes()));
        }
        if let Some(path) = &forward.path {
            set(&mut edits, request, ":path".into(), Cow::Borrowed(path));
        }
    }
    edits
}

/// What must go because nobody outside may set it, each name once.
fn removals<'d>(request: &Request<'d>, removes: impl Fn(&[u8]) -> bool) -> Vec<Edit<'d>> {
    let mut edits = Vec::new();
    for (name, _) in request.headers() {
        if removes(name) {
            remove(&mut edits, name);
        }
    }
    edits
}

fn set<'d>(edits: &mut Vec<Edit<'d>>, request: &Request<'d>, name: Cow<'d, str>, value: Cow<'d, [u8]>) {
    let mut lines = request.headers().iter().filter(|line| line.0 == name.as_bytes());
    match (lines.next(), lines.next()) {
        (Some((_, present)), None) if **present == *value => return,
        (Some((present, _)), Some(_)) => remove(edits, present),
        _ => {}
    }
    edits.push(Edit::Set(name, value));
}

fn remove<'d>(edits: &mut Vec<Edit<'d>>, name: &'d [u8]) {
    let edit = Edit::Remove(name);
    if !edits.contains(&edit) {
        edits.push(edit);
    }
}

/// Makes a header what operations leave of it. Lines that came and stay are not written anew.
fn change<'d>(edits: &mut Vec<Edit<'d>>, request: &Request<'d>, changed: &'d Changed<'_>) {
    let name = changed.name;
    let came: Vec<_> = request.lines(name.as_bytes()).collect();
    let stays = changed.values.len() >= came.len()
        && changed.values.iter().zip(&came).all(|(new, old)| **new == **old)
        && !edits.contains(&Edit::Remove(name.as_bytes()));
    if !stays && !came.is_empty() {
        remove(edits, name.as_bytes());
    }
    let new = changed.values.iter().skip(if stays { came.len() } else { 0 });
    edits.extend(new.map(|value| Edit::Add(name.into(), Cow::Borrowed(&**value))));
}

/// What becomes of header lines under some edits.
pub fn apply(edits: &[Edit<'_>], lines: &[Header<'_>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut lines: Vec<_> = lines.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    for edit in edits {
        match edit {
            Edit::Remove(gone) => lines.retain(|(name, _)| name != gone),
            Edit::Set(set, value) => match lines.iter_mut().find(|(name, _)| name == set.as_bytes()) {
                Some((_, present)) => *present = value.to_vec(),
                None => lines.push((set.as_bytes().to_vec(), value.to_vec())),
            },
            Edit::Add(name, value) => lines.push((name.as_bytes().to_vec(), value.to_vec())),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draws;
    use crate::{compile_json, decide};

    const POLICY: &str = r#"{"tags": [{"header": "user-type", "rules": [{"value": "internal"}]}],
        "virtualServices": [{"name": "shop", "hosts": ["shop"], "http": [
            {"match": [{"uri": {"prefix": "/old"}}], "rewrite": {"uri": "/new"},
             "route": [{"destination": {"host": "shop"}}]}]}], "mode": "MODE"}"#;

    /// The edits for these lines behind `:path` and `:authority`, as text, and what comes of them.
    fn run(mode: &str, path: &[u8], host: &[u8], lines: &[Header<'_>]) -> (Vec<String>, Vec<(Vec<u8>, Vec<u8>)>) {
        let policy = compile_json(POLICY.replace("MODE", mode).as_bytes()).unwrap();
        let mut headers: Vec<Header<'_>> = vec![(b":path", path), (b":authority", host)];
        headers.extend(lines);
        let request = Request::new(&headers, None);
        let decision = decide(&policy, &request, &Draws { fresh: Some(1), ..Draws::default() });
        let edits = edits(&policy, &decision, &request);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let shown = edits.iter().map(|edit| match edit {
            Edit::Remove(name) => format!("-{}", text(name)),
            Edit::Set(name, value) => format!("{name}={}", text(value)),
            Edit::Add(name, value) => format!("+{name}={}", text(value)),
        });
        (shown.collect(), apply(&edits, &headers))
    }

    const CLUSTER: &str = "x-switchyard-cluster=outbound|80||shop.default.svc.cluster.local";

    #[test]
    fn a_rewrite_keeps_the_path_that_came_and_the_query() {
        let (edits, after) = run("enforce", b"/old/a?b=c", b"shop", &[]);
        assert!(edits.contains(&"x-envoy-original-path=/old/a?b=c".to_owned()), "{edits:?}");
        assert_eq!(edits.last().unwrap(), ":path=/new/a?b=c");
        assert_eq!(after[0], (b":path".to_vec(), b"/new/a?b=c".to_vec()));
    }

    #[test]
    fn what_is_right_already_is_left_alone_and_repeats_are_made_one() {
        let right: Header<'_> = (b"user-type", b"internal");
        let (edits, _) = run("enforce", b"/old", b"shop", &[right]);
        assert!(!edits.iter().any(|edit| edit.contains("user-type")), "{edits:?}");
        let (edits, after) = run("enforce", b"/old", b"shop", &[right, (b"user-type", b"x")]);
        assert_eq!(edits[..2], ["-user-type", "user-type=internal"]);
        assert_eq!(after.iter().filter(|(name, _)| name == b"user-type").count(), 1);
    }

    #[test]
    fn each_name_that_must_go_is_removed_once() {
        let lines: [Header<'_>; 5] = [
            (b"x-switchyard-cluster", b"evil"),
            (b"x-switchyard-cluster", b"worse"),
            (b"x_switchyard_cluster", b"evil"),
            (b"user_type", b"admin"),
            (b"user_type", b"admin"),
        ];
        let (edits, after) = run("enforce", b"/old", b"shop", &lines);
        let gone: Vec<_> = edits.iter().filter(|edit| edit.starts_with('-')).collect();
        assert_eq!(gone, ["-x_switchyard_cluster", "-user_type", "-x-switchyard-cluster"]);
        assert!(edits.contains(&CLUSTER.to_owned()), "{edits:?}");
        assert_eq!(after.iter().filter(|(name, _)| name == b"x-switchyard-cluster").count(), 1);
    }

    #[test]
    fn observing_and_answering_change_nothing_but_what_would_choose_a_cluster() {
        let evil: Header<'_> = (b"x-switchyard-cluster", b"evil");
        let hint: Header<'_> = (b"x-envoy-fault-delay-request", b"1");
        assert_eq!(run("observe", b"/old", b"shop", &[hint]).0, [""; 0]);
        assert_eq!(run("observe", b"/old", b"shop", &[hint, evil]).0, ["-x-switchyard-cluster"]);
        assert_eq!(run("observe", b"/none", b"shop", &[evil]).0, ["-x-switchyard-cluster"], "it would be answered");
        assert_eq!(run("enforce", b"/none", b"shop", &[evil]).0, [""; 0], "answered with 404");
        assert_eq!(run("enforce", b"/none", b"other", &[evil]).0, ["-x-switchyard-cluster"], "left to Envoy's routes");
    }
}
