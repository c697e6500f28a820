//! By which value a host of a destination is chosen, where its load balancing hashes (istio.md 1.17).
//!
//! The value itself goes to Envoy, which hashes it as it would have hashed it by a route's own policy: so the same user
//! comes to the same host as in Istio.

use crate::decision::{Action, Decision};
use crate::request::{Known, Request, join};
use crate::split::Subject;
use crate::tag::TagState;
use std::borrow::Cow;

/// What a request has there: `Absent` also for an empty cookie, which Envoy takes for none.
pub fn value<'a>(subject: &'a Subject, request: &Request<'a>, tags: &[TagState<'a>]) -> Known<Cow<'a, [u8]>> {
    if let Subject::Header { name, tag: None, .. } = subject {
        let lines: Vec<_> = request.lines(name.as_bytes()).map(Cow::Borrowed).collect();
        if lines.len() > 1 {
            return joined(lines);
        }
    }
    match (subject, subject.value(request, tags)) {
        (Subject::Cookie { .. }, Known::Present(value)) if value.is_empty() => Known::Absent,
        (_, value) => value,
    }
}

/// Several lines as one value: sorted, because Envoy gives them one hash in whatever order they come.
fn joined(mut lines: Vec<Cow<'_, [u8]>>) -> Known<Cow<'_, [u8]>> {
    lines.sort_unstable();
    join(lines).map_or(Known::Absent, Known::Present)
}

/// Envoy hashes what its router sends, so a header counts as the rule's operations leave it.
pub fn settle(decision: &mut Decision<'_>) {
    let Action::Forward(forward) = &mut decision.action else {
        return;
    };
    let Some(Subject::Header { name, .. }) = &forward.destination.hash else {
        return;
    };
    let authority = forward.destination.authority.as_ref().filter(|_| **name == *":authority");
    if let Some(authority) = authority {
        forward.hash = Some(Cow::Borrowed(authority.as_bytes()));
    } else if let Some(changed) = decision.changed.iter().find(|changed| *changed.name == **name) {
        let value = joined(changed.values.clone());
        forward.hash = if let Known::Present(value) = value { Some(value) } else { None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draws;
    use crate::request::Header;
    use crate::{compile_json, decide};
    use serde_json::{Value, json};

    /// A policy whose only destination hashes by this, and one whose rule changes headers.
    fn policy(hash: &Value, rule: &Value) -> String {
        let mut http = json!({"route": [{"destination": {"host": "shop"}}]});
        http.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        let service = json!({"host": "shop.default.svc.cluster.local", "ports": [80], "hash": hash});
        json!({"services": [service], "virtualServices": [{"name": "shop", "hosts": ["shop"], "http": [http]}]})
            .to_string()
    }

    /// The value that goes to Envoy, and the cookies that are issued.
    fn decided(policy: &str, lines: &[Header<'_>]) -> (Option<String>, Vec<String>) {
        let policy = compile_json(policy.as_bytes()).expect("right");
        let mut headers: Vec<Header<'_>> = vec![(b":authority", b"shop"), (b":path", b"/a?user=u%20&user=v")];
        headers.extend(lines);
        let request = Request::new(&headers, Some("::ffff:192.0.2.7".parse().unwrap()));
        let decision = decide(&policy, &request, &Draws { fresh: Some(7), ..Draws::default() });
        let hash = decision.forward().expect("forwarded").hash.as_ref();
        let hash = hash.map(|value| String::from_utf8_lossy(value).into_owned());
        (hash, decision.cookies.iter().map(crate::decision::IssuedCookie::set_cookie).collect())
    }

    #[test]
    fn the_value_is_as_it_came() {
        let header = json!({"httpHeaderName": "X-User"});
        let cookie = json!({"httpCookie": {"name": "uid"}});
        let (query, source) = (json!({"httpQueryParameterName": "user"}), json!({"useSourceIp": true}));
        let table: [(&Value, &[Header<'_>], Option<&str>); 9] = [
            (&header, &[(b"x-user", b"ann")], Some("ann")),
            (&header, &[(b"x-user", b"")], Some("")),
            (&header, &[], None),
            // In whatever order they come.
            (&header, &[(b"x-user", b"b"), (b"x-user", b"a")], Some("a,b")),
            (&cookie, &[(b"cookie", b"a=1; uid=ann")], Some("ann")),
            (&cookie, &[(b"cookie", b"uid=")], None),
            (&cookie, &[], None),
            (&query, &[], Some("u%20")),
            (&source, &[], Some("192.0.2.7")),
        ];
        for (hash, lines, expected) in table {
            let (seen, cookies) = decided(&policy(hash, &json!({})), lines);
            assert_eq!((seen.as_deref(), cookies.len()), (expected, 0), "{hash} {lines:?}");
        }
    }

    #[test]
    fn a_cookie_with_a_ttl_is_issued_and_is_the_value() {
        let attributes = json!([{"name": "SameSite", "value": "Strict"}, {"name": "Secure"}]);
        for (more, expected) in [
            (json!({"ttl": "0s"}), "; HttpOnly"),
            (json!({"ttl": "1h", "path": "/a"}), "; Max-Age=3600; Path=/a; HttpOnly"),
            (json!({"ttl": "0s", "attributes": attributes}), "; SameSite=Strict; Secure; HttpOnly"),
        ] {
            let mut cookie = json!({"name": "uid"});
            cookie.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let value = format!("{:032x}", 7);
            let policy = policy(&json!({"httpCookie": cookie}), &json!({}));
            let line = format!("uid={value}{expected}");
            assert_eq!(decided(&policy, &[]), (Some(value.clone()), vec![line]));
            assert_eq!(decided(&policy, &[(b"cookie", b"uid=\"ann\"")]), (Some("ann".into()), vec![]));
        }
    }

    #[test]
    fn a_header_counts_as_the_rule_leaves_it() {
        let header = json!({"httpHeaderName": "x-user"});
        let lines: [Header<'_>; 1] = [(b"x-user", b"ann")];
        for (operations, expected) in [
            (json!({"set": {"x-user": "bob"}}), Some("bob")),
            (json!({"add": {"x-user": "bob"}}), Some("ann,bob")),
            (json!({"remove": ["x-user"]}), None),
        ] {
            let policy = policy(&header, &json!({"headers": {"request": operations}}));
            assert_eq!(decided(&policy, &lines).0.as_deref(), expected, "{operations}");
        }
        let policy = policy(&json!({"httpHeaderName": "host"}), &json!({"rewrite": {"authority": "other"}}));
        assert_eq!(decided(&policy, &[]).0.as_deref(), Some("other"));
    }

    #[test]
    fn attributes_of_cookies_are_checked() {
        let attributes =
            json!([{"name": "Same Site"}, {"name": "Secure"}, {"name": "secure"}, {"name": "a", "value": "b;c"}]);
        let hash = json!({"httpCookie": {"name": "uid", "attributes": attributes}});
        let errors = compile_json(policy(&hash, &json!({})).as_bytes()).expect_err("wrong");
        let said: Vec<_> =
            errors.iter().map(|error| error.to_string().replace("services[0].hash.httpCookie.", "")).collect();
        assert_eq!(
            said,
            [
                "attributes[0].name: `Same Site` is no name of an attribute",
                "attributes[2].name: `secure` is listed twice",
                "attributes[3].value: `b;c` is no value of an attribute: write visible ASCII without `;`",
            ]
        );
    }

    #[test]
    fn the_subset_comes_before_the_host_and_the_port_before_all_of_them_where_the_rule_names_it() {
        let by = |name: &str| json!({"httpHeaderName": name});
        let ports = |name: &str| json!([{"port": 80, "hash": by(name)}]);
        let service = json!({
            "host": "shop.default.svc.cluster.local", "ports": [80], "hash": by("top"), "portHashes": ports("top-80"),
            "subsets": [{"name": "both", "hash": by("sub"), "portHashes": ports("sub-80")}, {"name": "v1", "hash": by("sub")},
                {"name": "none"}],
        });
        for (subset, port, expected) in [
            ("", json!({}), "top"),
            ("", json!({"port": {"number": 80}}), "top-80"),
            ("", json!({"port": {"number": 81}}), "top"),
            ("both", json!({}), "sub"),
            ("both", json!({"port": {"number": 80}}), "sub-80"),
            ("v1", json!({"port": {"number": 80}}), "sub"),
            ("none", json!({"port": {"number": 80}}), "top-80"),
            ("none", json!({}), "top"),
        ] {
            let mut destination = json!({"host": "shop", "subset": subset});
            destination.as_object_mut().unwrap().extend(port.as_object().unwrap().clone());
            let rule = json!([{"route": [{"destination": destination}]}]);
            let document =
                json!({"services": [service], "virtualServices": [{"name": "a", "hosts": ["shop"], "http": rule}]});
            let policy = compile_json(document.to_string().as_bytes()).expect("right");
            let hash = policy.rules()[0].destinations[0].hash.as_ref().expect("hashed");
            assert_eq!(hash.key(), format!("header/{expected}"), "{subset} {port}");
        }
    }
}
