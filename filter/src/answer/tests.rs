use super::*;
use crate::decision::Action;
use crate::request::Unlisted;
use crate::request::{Header, Known};
use crate::{compile_json, decide, draw::Draws};
use serde_json::{Value, json};

/// A policy with one rule: `answer` and `match` on a listener.
fn policy(rule: &Value, proxy: &Value) -> Result<crate::Policy, Vec<String>> {
    let document = json!({"proxy": proxy, "virtualServices": [{"name": "vs", "gateways": ["mesh", "default/gw"], "hosts": ["*.com", "::1", "shop"], "http": [rule]}]});
    compile_json(document.to_string().as_bytes()).map_err(|errors| {
        errors.iter().map(|error| error.to_string().replacen("virtualServices[0].http[0].", "", 1)).collect()
    })
}

fn errors(rule: &Value) -> Vec<String> {
    policy(rule, &json!({})).err().unwrap_or_default()
}

/// Status and `location` for a request of these lines.
fn location(policy: &crate::Policy, lines: &[(&str, &str)]) -> (u16, String) {
    let lines: Vec<Header<'_>> = lines.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    match decide(policy, &Request::new(&lines, None), &Draws::default()).action {
        Action::Reply(reply) => {
            let location = reply.headers.iter().find(|(name, _)| *name == "location").map(|(_, value)| value.to_vec());
            (reply.status, String::from_utf8(location.unwrap_or_default()).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn sent(redirect: &Value, proxy: &Value, authority: &str, scheme: &str, path: &str) -> String {
    let rule = json!({"match": [{"uri": {"prefix": "/r"}}, {"uri": {"prefix": "/"}}], "redirect": redirect});
    let policy = policy(&rule, proxy).unwrap();
    location(&policy, &[(":authority", authority), (":scheme", scheme), (":path", path)]).1
}

/// Every line as Envoy 1.37.0 answered it.
#[test]
fn locations_are_envoys() {
    for (redirect, authority, scheme, path, to) in [
        (json!({"uri": "/new"}), "shop", "http", "/r?q=1", "http://shop/new?q=1"),
        (json!({"uri": "/new"}), "shop", "http", "/r?q=1?2", "http://shop/new?q=1?2"),
        (json!({"uri": "/new"}), "shop:80", "http", "/r", "http://shop:80/new"),
        (json!({"uri": "/new"}), "shop:443", "https", "/r", "https://shop:443/new"),
        (json!({"uri": "/new?x=1"}), "shop", "http", "/r?q=1", "http://shop/new?x=1"),
        (json!({"uri": "new"}), "shop", "http", "/r?q=1", "http://shop/new?q=1"),
        (json!({"uri": "/new#top"}), "shop", "http", "/r?q=1", "http://shop/new#top?q=1"),
        (json!({"authority": "other.com"}), "shop", "http", "/r/a?q=1", "http://other.com/r/a?q=1"),
        (json!({"authority": "other.com:99", "port": 8080}), "shop", "http", "/r", "http://other.com:99:8080/r"),
        (json!({"scheme": "https"}), "shop:80", "http", "/r", "https://shop/r"),
        (json!({"scheme": "https"}), "shop:443", "http", "/r", "https://shop:443/r"),
        (json!({"scheme": "https"}), "shop:81", "http", "/r", "https://shop:81/r"),
        (json!({"scheme": "https"}), "shop:443", "https", "/r", "https://shop:443/r"),
        (json!({"scheme": "https"}), "[::1]:80", "http", "/r", "https://[::1]/r"),
        (json!({"scheme": "https"}), "[::1]", "http", "/r", "https://[::1]/r"),
        (json!({"scheme": "http"}), "shop:443", "https", "/r", "http://shop/r"),
        (json!({"scheme": "http"}), "shop:80", "https", "/r", "http://shop:80/r"),
        (json!({"port": 8080}), "shop:1234", "http", "/r", "http://shop:8080/r"),
        (json!({"port": 8080}), "[::1]:80", "http", "/r", "http://[::1]:8080/r"),
        (json!({"port": 8080}), "[::1]", "http", "/r", "http://[::1]:8080/r"),
        (json!({"prefixRewrite": "/v2"}), "shop", "http", "/r/a?q=1", "http://shop/v2/a?q=1"),
        (json!({"prefixRewrite": "v2"}), "shop", "http", "/r?a", "http://shop/v2?a"),
        (json!({"prefixRewrite": "/v2?y=2"}), "shop", "http", "/r?a", "http://shop/v2?y=2?a"),
        (json!({"port": 0}), "shop:8080", "http", "/r?a", "http://shop:8080/r?a"),
        (json!({"derivePort": "FROM_PROTOCOL_DEFAULT"}), "shop:8080", "http", "/r?a", "http://shop:8080/r?a"),
    ] {
        assert_eq!(sent(&redirect, &json!({}), authority, scheme, path), to, "{redirect} {authority}");
    }
}

#[test]
fn a_default_port_is_not_written() {
    let gateway = |port: u16| json!({"gateways": ["default/gw"], "port": port});
    let ending_tls = |port: u16, tls: bool| json!({"gateways": ["default/gw"], "port": port, "tls": tls});
    let derived = json!({"derivePort": "FROM_REQUEST_PORT"});
    for (redirect, proxy, scheme, to) in [
        (derived.clone(), gateway(8080), "http", "http://a.com:8080/r"),
        (derived.clone(), gateway(80), "http", "http://a.com:1/r"),
        // What ends TLS in front says https.
        (derived.clone(), gateway(80), "https", "https://a.com:1/r"),
        (derived.clone(), gateway(443), "https", "https://a.com:1/r"),
        // A sidecar's listener has no TLS.
        (derived.clone(), json!({"port": 443}), "http", "http://a.com:443/r"),
        // What the document says counts before the port.
        (derived.clone(), ending_tls(80, true), "https", "https://a.com:80/r"),
        (derived, ending_tls(443, false), "http", "http://a.com:443/r"),
        (json!({"port": 443}), ending_tls(80, true), "https", "https://a.com:1/r"),
        (json!({"port": 443}), ending_tls(8443, true), "http", "http://a.com:1/r"),
        (json!({"port": 80}), gateway(8443), "https", "https://a.com:80/r"),
        (json!({"port": 443}), gateway(8443), "https", "https://a.com:1/r"),
        (json!({"port": 80, "scheme": "http"}), gateway(443), "https", "http://a.com:1/r"),
        (json!({"port": 443, "scheme": "http"}), gateway(443), "https", "http://a.com:443/r"),
        (json!({"port": 443, "scheme": "https"}), gateway(80), "http", "https://a.com:1/r"),
    ] {
        assert_eq!(sent(&redirect, &proxy, "a.com:1", scheme, "/r"), to, "{redirect} {proxy}");
    }
}

#[test]
fn the_scheme_in_front_tells_which_port_was_the_default() {
    let policy = policy(&json!({"redirect": {"scheme": "https"}}), &json!({})).unwrap();
    let lines = [(":authority", "shop:80"), (":scheme", "http"), (":path", "/"), ("x-forwarded-proto", "https")];
    assert_eq!(location(&policy, &lines).1, "https://shop:80/");
}

#[test]
fn a_direct_response_tells_its_own_place_where_envoy_does() {
    for (status, to) in [(200, ""), (201, "http://shop:80/a?b"), (304, "http://shop:80/a?b"), (404, "")] {
        let policy =
            policy(&json!({"directResponse": {"status": status, "body": {"bytes": "aGk="}}}), &json!({})).unwrap();
        let lines = [(":authority", "shop:80"), (":scheme", "http"), (":path", "/a?b")];
        assert_eq!(location(&policy, &lines), (status, to.to_owned()));
    }
}

#[test]
fn a_recording_that_lacks_what_the_location_names_is_undecidable() {
    let missing = |redirect: &Value, lines: &[Header<'_>], has_query: bool| {
        let policy = policy(&json!({"redirect": redirect}), &json!({})).unwrap();
        let request = Request::recorded(lines, Unlisted::UnknownExcept(&[]), Known::Unknown, has_query);
        match decide(&policy, &request, &Draws::default()).action {
            Action::Undecidable(missing) => missing.to_string(),
            _ => "nothing".to_owned(),
        }
    };
    let (host, path): (Header<'_>, Header<'_>) = ((b":authority", b"shop:80"), (b":path", b"/"));
    assert_eq!(missing(&json!({"authority": "a"}), &[host, path], true), "header `:scheme`");
    assert_eq!(missing(&json!({"scheme": "https"}), &[host, path], true), "header `x-forwarded-proto`");
    let known = json!({"scheme": "https", "authority": "a"});
    assert_eq!(missing(&known, &[host, path], true), "nothing");
    assert_eq!(missing(&known, &[host, path], false), "header `:path`");
    assert_eq!(missing(&json!({"scheme": "https", "authority": "a", "uri": "/?a"}), &[host, path], false), "nothing");
}

#[test]
fn what_istio_or_envoy_refuses_is_refused_at_its_field() {
    let lists = |rule: &Value| {
        errors(rule).iter().map(|error| error.split(": ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (redirect, fields) in [
        (json!({}), vec!["redirect"]),
        (json!({"redirectCode": 302}), vec!["redirect"]),
        (json!({"uri": "/a", "redirectCode": 305}), vec!["redirect.redirectCode"]),
        (
            json!({"uri": "/a\n", "scheme": "ftp", "redirectCode": 200}),
            vec!["redirect.uri", "redirect.scheme", "redirect.redirectCode"],
        ),
        (json!({"port": 1, "derivePort": "FROM_REQUEST_PORT"}), vec!["redirect"]),
        (json!({"uri": "/a", "prefixRewrite": "/b"}), vec!["redirect", "redirect.prefixRewrite"]),
    ] {
        assert_eq!(lists(&json!({"redirect": redirect})), fields, "{redirect}");
    }
    assert!(errors(&json!({"match": [{"uri": {"prefix": "/a"}}], "redirect": {"prefixRewrite": "/b"}})).is_empty());
    assert_eq!(
        errors(
            &json!({"match": [{"uri": {"prefix": "/a"}}, {"uri": {"exact": "/a"}}], "redirect": {"prefixRewrite": "/b"}})
        ),
        ["redirect.prefixRewrite: every match block of the rule needs `uri.prefix`, which it replaces"]
    );
    assert_eq!(
        errors(&json!({"directResponse": {"status": 600}})),
        ["directResponse.status: `600` is out of range, though Istio takes it: Envoy does not: 200 to 599"]
    );
    assert_eq!(
        errors(&json!({"directResponse": {"status": 199}})),
        ["directResponse.status: `199` is out of range: 200 to 599"]
    );
    let body = |body: &Value| lists(&json!({"directResponse": {"status": 200, "body": body}}));
    assert_eq!(body(&json!({"string": "a", "bytes": "aGk="})), ["directResponse.body"]);
    assert_eq!(body(&json!({"bytes": "a"})), ["directResponse.body.bytes"]);
    assert_eq!(body(&json!({"string": "a".repeat(LONGEST + 1)})), ["directResponse.body.string"]);
    assert_eq!(body(&json!({"string": "a".repeat(LONGEST)})), [""; 0]);
    assert_eq!(body(&json!({})), [""; 0]);
}
