use super::*;
use crate::read::read_on;

fn cors(written: &str) -> Result<Cors, String> {
    let (document, errors) = read_on::<CorsPolicy>(&serde_json::from_str(written).expect("JSON"));
    assert!(errors.is_empty(), "{errors:?}");
    let mut at = At::root();
    let cors = Cors::compile(&document.expect("read"), &mut at);
    cors.ok_or_else(|| at.into_errors().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// What becomes of a request of these lines; names of headers without `access-control-`.
fn outcome(cors: &Cors, lines: &[(&str, &str)]) -> String {
    let lines: Vec<(&[u8], &[u8])> = lines.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let shown = |lines: Vec<ReplyHeader<'_>>| {
        let line = |(name, value): &ReplyHeader<'_>| {
            format!("{}={}", name.trim_start_matches("access-control-"), String::from_utf8_lossy(value))
        };
        lines.iter().map(line).collect::<Vec<_>>().join(" ")
    };
    match cors.outcome(&Request::new(&lines, None)) {
        Ok(Outcome::Nothing) => "nothing".into(),
        Ok(Outcome::Headers(lines)) => shown(lines),
        Ok(Outcome::Preflight(lines)) => format!("200 {}", shown(lines)),
        Err(missing) => missing.to_string(),
    }
}

const GET: (&str, &str) = (":method", "GET");
const OPTIONS: (&str, &str) = (":method", "OPTIONS");
const PUT: (&str, &str) = ("access-control-request-method", "PUT");

/// Every line as Envoy 1.37.0 answered it.
#[test]
fn answers_are_envoys() {
    let full = cors(
        r#"{"allowOrigins": [{"exact": "http://a"}, {"exact": "http://b"}], "allowMethods": ["GET", "POST"],
            "allowHeaders": ["x-a", "x-b"], "exposeHeaders": ["x-c", "x-d"], "maxAge": "10m", "allowCredentials": true}"#,
    )
    .unwrap();
    let (a, z) = (("origin", "http://a"), ("origin", "http://z"));
    let actual = "allow-origin=http://a allow-credentials=true expose-headers=x-c,x-d";
    let preflight = "200 allow-origin=http://a allow-credentials=true allow-methods=GET,POST allow-headers=x-a,x-b \
                     max-age=600 expose-headers=x-c,x-d";
    for (lines, becomes) in [
        (vec![GET, a], actual),
        (vec![GET, a, PUT], actual),
        (vec![GET, z], "nothing"),
        (vec![GET], "nothing"),
        (vec![GET, ("origin", "")], "nothing"),
        (vec![GET, ("origin", "HTTP://A")], "nothing"),
        (vec![GET, a, ("origin", "http://b")], "nothing"),
        (vec![OPTIONS, a], actual),
        (vec![OPTIONS, a, ("access-control-request-method", "")], actual),
        (vec![OPTIONS, a, PUT], preflight),
        (vec![OPTIONS, z, PUT], "nothing"),
        (vec![OPTIONS, PUT], "nothing"),
    ] {
        assert_eq!(outcome(&full, &lines), becomes, "{lines:?}");
    }
}

#[test]
fn a_star_alone_is_what_the_browser_asks_for() {
    let star = cors(r#"{"allowOrigins": [{"regex": "."}], "allowMethods": ["*"], "allowHeaders": ["*"]}"#).unwrap();
    let origin = ("origin", "http://any");
    assert_eq!(
        outcome(
            &star,
            &[
                OPTIONS,
                origin,
                PUT,
                ("access-control-request-headers", "x-q"),
                ("access-control-request-headers", "x-r")
            ]
        ),
        "200 allow-origin=http://any allow-methods=PUT allow-headers=x-q,x-r"
    );
    assert_eq!(outcome(&star, &[OPTIONS, origin, PUT]), "200 allow-origin=http://any allow-methods=PUT allow-headers=");
    let among = cors(r#"{"allowOrigin": ["*"], "allowMethods": ["GET", "*"], "allowHeaders": ["*", "x-a"]}"#).unwrap();
    assert_eq!(
        outcome(&among, &[OPTIONS, origin, PUT]),
        "200 allow-origin=http://any allow-methods=GET,* allow-headers=*,x-a"
    );
}

#[test]
fn ignored_preflights_are_answered_without_an_origin() {
    let cors = cors(
        r#"{"allowMethods": ["GET"], "exposeHeaders": ["x-a"], "allowCredentials": true, "unmatchedPreflights": "IGNORE"}"#,
    );
    let cors = cors.unwrap();
    let z = ("origin", "http://z");
    assert_eq!(outcome(&cors, &[OPTIONS, z, PUT]), "200 allow-credentials=true allow-methods=GET");
    assert_eq!(outcome(&cors, &[GET, z]), "nothing");
}

#[test]
fn only_what_may_be_a_preflight_needs_to_be_known() {
    use crate::request::Unlisted;
    let cors = cors(r#"{"allowOrigins": [{"prefix": "http://a"}], "allowHeaders": ["*"]}"#).unwrap();
    let missing = |lines: &[(&[u8], &[u8])]| {
        let request = Request::recorded(lines, Unlisted::UnknownExcept(&[]), Known::Unknown, true);
        cors.outcome(&request).map_or_else(|missing| missing.to_string(), |_| "decided".into())
    };
    assert_eq!(missing(&[(b":method", b"GET")]), "decided");
    assert_eq!(missing(&[]), "header `:method`");
    assert_eq!(missing(&[(b":method", b"OPTIONS")]), "header `origin`");
    let origin = (&b"origin"[..], &b"http://a"[..]);
    assert_eq!(missing(&[(b":method", b"OPTIONS"), origin]), "header `access-control-request-method`");
    let method = (&b"access-control-request-method"[..], &b"GET"[..]);
    assert_eq!(missing(&[(b":method", b"OPTIONS"), origin, method]), "header `access-control-request-headers`");
}

#[test]
fn what_istio_refuses_is_refused_at_its_field() {
    let said = cors(
        r#"{"allowOrigins": [{}, {"exact": ""}, {"regex": "("}, {"exact": "a", "prefix": "b"}], "allowMethods": ["GET", "get"],
            "allowHeaders": ["x-a", "x a", ""], "exposeHeaders": [":path"], "maxAge": "1500ms"}"#,
    );
    let said = said.unwrap_err();
    let said: Vec<_> = said.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        said,
        [
            "allowOrigins[0]",
            "allowOrigins[1]",
            "allowOrigins[2].regex",
            "allowOrigins[3]",
            "allowMethods[1]",
            "allowHeaders[1]",
            "allowHeaders[2]",
            "exposeHeaders[0]",
            "maxAge",
        ]
    );
    assert!(cors(r#"{"maxAge": "0s"}"#).unwrap_err().contains("at least `1ms`"));
}
