//! What random rules do: forward, redirect, answer, and what goes with each.

use super::feature::Feature;
use super::unit::Writer;
use super::words::{HEADERS, OPERATORS, ORIGINS, PLAIN, REWRITES};
use super::world::{AWAY, HOME};
use serde_json::{Map, Value, json};

/// How long a delay is, in milliseconds: short, and still told from none.
pub const DELAY: u64 = 20;
/// A timeout that an upstream can exceed, in milliseconds.
pub const TIMEOUT: u64 = 300;

/// Adds an action and what goes with it.
pub fn action(writer: &mut Writer<'_>, rule: &mut Map<String, Value>) {
    let chosen = writer.rng.below(100);
    if chosen < 12 && writer.may(Feature::Redirect, 100) {
        rule.insert("redirect".into(), redirect(writer));
    } else if (12..20).contains(&chosen) && writer.may(Feature::DirectResponse, 100) {
        rule.insert("directResponse".into(), direct_response(writer));
    } else {
        let route = destinations(writer);
        rule.insert("route".into(), route);
        transform(writer, rule);
        if writer.may(Feature::Mirror, 12) {
            mirrors(writer, rule);
        }
        fault(writer, rule);
        let cors = cors(writer);
        rule.extend(cors.map(|cors| ("corsPolicy".to_owned(), cors)));
        return;
    }
    let headers = headers(writer, true);
    rule.extend(headers.map(|headers| ("headers".to_owned(), headers)));
    let cors = cors(writer);
    rule.extend(cors.map(|cors| ("corsPolicy".to_owned(), cors)));
}

/// Adds what becomes of a request on its way.
pub fn transform(writer: &mut Writer<'_>, rule: &mut Map<String, Value>) {
    let rewrite = rewrite(writer);
    rule.extend(rewrite.map(|rewrite| ("rewrite".to_owned(), rewrite)));
    if writer.may(Feature::Timeout, 12) {
        let timeout = [format!("{TIMEOUT}ms"), "5s".into(), "1m".into(), "2.5s".into()];
        rule.insert("timeout".into(), json!(writer.rng.pick(&timeout)));
    }
    if writer.may(Feature::Retries, 15) {
        let retries = retries(writer);
        rule.insert("retries".into(), retries);
    }
    let rewrites_authority = rule.get("rewrite").is_some_and(|rewrite| rewrite["authority"].is_string());
    let headers = headers(writer, !rewrites_authority);
    rule.extend(headers.map(|headers| ("headers".to_owned(), headers)));
}

fn destination(writer: &mut Writer<'_>) -> Value {
    let name = |short: &str, writer: &mut Writer<'_>| {
        if writer.namespace == HOME && writer.rng.chance(60) {
            short.into()
        } else {
            format!("{short}.{HOME}.svc.cluster.local")
        }
    };
    let missing = writer.may(Feature::MissingDestinations, 4);
    if missing {
        return match writer.rng.below(3) {
            0 => json!({"host": "nobody.demo.svc.cluster.local"}),
            1 => json!({"host": name("shop", writer), "subset": "v9"}),
            _ => json!({"host": name("shop", writer), "port": {"number": 81}}),
        };
    }
    match writer.rng.below(20) {
        0..9 => {
            // Without a subset any endpoint may answer.
            let subset = writer.rng.pick(&["v1", "v2", "v3"]);
            json!({"host": name("shop", writer), "subset": subset})
        }
        9..13 => {
            let mut destination = json!({"host": name("cart", writer), "subset": writer.rng.pick(&["v1", "v2"])});
            // Of several ports the listener's is meant, which it need not have.
            if writer.rng.chance(85) {
                destination["port"] = json!({"number": writer.rng.pick(&[80, 8080])});
            }
            destination
        }
        13 => json!({"host": name("alt", writer), "subset": "v1", "port": {"number": 8080}}),
        // Its only port, which is not the listener's: known to a gateway (see `hashing` for the mesh).
        14 if !writer.mesh => json!({"host": name("alt", writer)}),
        15 if writer.namespace == AWAY => json!({"host": "far"}),
        15 | 16 => json!({"host": "far.other.svc.cluster.local", "subset": "v1"}),
        17 => json!({"host": name("dead", writer)}),
        _ => json!({"host": "out.example.com"}),
    }
}

/// A destination, now and then one whose endpoint hangs on the request, or whose port a sidecar does not find.
fn hashing(writer: &mut Writer<'_>) -> Value {
    if writer.may(Feature::ConsistentHash, 8) {
        let name = writer.rng.pick(&["ring", "near"]);
        return json!({"host": format!("{name}.{HOME}.svc.cluster.local")});
    }
    if writer.mesh && writer.rng.chance(3) {
        return json!({"host": format!("alt.{HOME}.svc.cluster.local")});
    }
    destination(writer)
}

fn destinations(writer: &mut Writer<'_>) -> Value {
    let with_headers = |writer: &mut Writer<'_>, mut one: Value| {
        let own = headers(writer, false);
        if let (Value::Object(one), Some(own)) = (&mut one, own) {
            one.insert("headers".into(), own);
        }
        one
    };
    if !writer.may(Feature::ZeroWeights, 30) {
        let mut one = json!({"destination": hashing(writer)});
        if writer.rng.chance(20) {
            // Without meaning for a single one.
            one["weight"] = json!(writer.rng.pick(&[0, 37, 100]));
        }
        return json!([with_headers(writer, one)]);
    }
    let count = 2 + writer.rng.below(2);
    let chosen = writer.rng.below(count);
    let weight = writer.rng.pick(&[1, 37, 100]);
    let one = |index: usize, writer: &mut Writer<'_>| {
        let mut one = json!({"destination": destination(writer)});
        if index == chosen {
            one["weight"] = json!(weight);
        } else if writer.rng.chance(60) {
            one["weight"] = json!(0);
        }
        with_headers(writer, one)
    };
    (0..count).map(|index| one(index, writer)).collect()
}

fn rewrite(writer: &mut Writer<'_>) -> Option<Value> {
    let mut rewrite = Map::new();
    if writer.may(Feature::Rewrite, 20) {
        rewrite.insert("uri".into(), json!(writer.rng.pick(&REWRITES)));
    } else if writer.may(Feature::RegexRewrite, 10) {
        let patterns = [
            ("a", "b"),
            ("^/a(.*)$", "/x\\1"),
            ("/([^/]+)/([^/]+)", "/\\2/\\1"),
            ("[0-9]+", "<\\0>"),
            ("/+", "/"),
            ("a*", "x"),
            ("(a)|(b)", "\\2\\1"),
            ("v1", "\\\\"),
            ("(?i)API", "q?z=1"),
        ];
        let (from, to) = writer.rng.pick(&patterns);
        rewrite.insert("uriRegexRewrite".into(), json!({"match": from, "rewrite": to}));
    }
    if writer.may(Feature::RewriteAuthority, 12) {
        rewrite.insert("authority".into(), json!(writer.rng.pick(&["new.test", "new.test:8080", "New.Test"])));
    }
    (!rewrite.is_empty()).then_some(Value::Object(rewrite))
}

fn retries(writer: &mut Writer<'_>) -> Value {
    let attempts = writer.rng.below(4);
    let mut retries = json!({"attempts": attempts});
    if attempts > 0 && writer.rng.chance(70) {
        let on = [
            "5xx",
            "gateway-error",
            "retriable-4xx",
            "503",
            "503,409",
            "connect-failure,refused-stream",
            "reset",
            "5xx,retriable-status-codes,418",
            "retriable-status-codes",
            "unavailable,cancelled",
            "500,reset",
        ];
        retries["retryOn"] = json!(writer.rng.pick(&on));
    }
    if attempts > 0 && writer.rng.chance(30) {
        retries["perTryTimeout"] = json!(writer.rng.pick(&[format!("{TIMEOUT}ms"), "2s".into()]));
    }
    retries
}

/// Header operations; `authority`: the request's may be set.
fn headers(writer: &mut Writer<'_>, authority: bool) -> Option<Value> {
    let mut headers = Map::new();
    if writer.may(Feature::RequestHeaders, 18) {
        let mut names: Vec<&str> = HEADERS.to_vec();
        names.extend(["x-new", "x-new2", "user-agent", "accept"]);
        let mut operations = operations(writer, &names);
        if authority && writer.rng.chance(10) {
            let name = writer.rng.pick(&["host", ":authority", "Host"]);
            operations.entry("set").or_insert_with(|| json!({}))[name] = json!("set.test");
        }
        headers.insert("request".into(), Value::Object(operations));
    }
    if writer.may(Feature::ResponseHeaders, 14) {
        let names = ["x-up", "x-two", "x-new", "content-type", "set-cookie", "server", "x-a", "vary"];
        headers.insert("response".into(), Value::Object(operations(writer, &names)));
    }
    (!headers.is_empty()).then_some(Value::Object(headers))
}

fn operations(writer: &mut Writer<'_>, names: &[&str]) -> Map<String, Value> {
    let mut all = Map::new();
    for kind in ["set", "add"] {
        if !writer.rng.chance(55) {
            continue;
        }
        let mut values = Map::new();
        for _ in 0..=writer.rng.below(2) {
            let name = writer.rng.pick(names);
            let name = if writer.rng.chance(10) { name.to_ascii_uppercase() } else { name.to_owned() };
            let value = if writer.may(Feature::FormatOperators, 35) {
                writer.rng.pick(&OPERATORS)
            } else {
                writer.rng.pick(&PLAIN)
            };
            if !values.keys().any(|known: &String| known.eq_ignore_ascii_case(&name)) {
                values.insert(name, json!(value));
            }
        }
        all.insert(kind.into(), Value::Object(values));
    }
    if writer.rng.chance(40) {
        let removed: Vec<&str> = (0..=writer.rng.below(2)).map(|_| writer.rng.pick(names)).collect();
        all.insert("remove".into(), json!(removed));
    }
    all
}

fn redirect(writer: &mut Writer<'_>) -> Value {
    let mut redirect = Map::new();
    if writer.rng.chance(60) {
        let uri = writer.rng.pick(&["/new", "/new?x=1", "/", "/n w", "", "new"]);
        if !uri.is_empty() {
            redirect.insert("uri".into(), json!(uri));
        }
    }
    if writer.rng.chance(40) {
        redirect.insert("authority".into(), json!(writer.rng.pick(&["new.test", "new.test:8443", "New.test"])));
    }
    if writer.rng.chance(30) {
        redirect.insert("scheme".into(), json!(writer.rng.pick(&["https", "http"])));
    }
    match writer.rng.below(6) {
        0 => redirect.insert("port".into(), json!(writer.rng.pick(&[80, 443, 8443]))),
        1 => redirect.insert("derivePort".into(), json!("FROM_REQUEST_PORT")),
        2 => redirect.insert("derivePort".into(), json!("FROM_PROTOCOL_DEFAULT")),
        _ => None,
    };
    if !["uri", "authority", "scheme", "port"].iter().any(|field| redirect.contains_key(*field)) {
        redirect.insert("uri".into(), json!("/else"));
    }
    if writer.rng.chance(50) {
        redirect.insert("redirectCode".into(), json!(writer.rng.pick(&[301, 302, 303, 307, 308])));
    }
    Value::Object(redirect)
}

fn direct_response(writer: &mut Writer<'_>) -> Value {
    let mut response = json!({"status": writer.rng.pick(&[200, 204, 404, 503, 418, 599])});
    if response["status"] == 204 {
        // Envoy sends a body behind a 204, on both sides; clients take it for the next response.
        return response;
    }
    match writer.rng.below(4) {
        0 => response["body"] = json!({"string": "teapot %REQ(x-a)%\n"}),
        1 => response["body"] = json!({"bytes": "AAH/aGk="}),
        2 => response["body"] = json!({"string": ""}),
        _ => {}
    }
    response
}

fn cors(writer: &mut Writer<'_>) -> Option<Value> {
    if !writer.may(Feature::Cors, 12) {
        return None;
    }
    let mut cors = Map::new();
    if writer.rng.chance(20) {
        cors.insert("allowOrigin".into(), json!([writer.rng.pick(&["*", "http://a.test", "http://b.test"])]));
    } else {
        let origins: Vec<Value> = (0..=writer.rng.below(2))
            .map(|_| match writer.rng.below(4) {
                0 | 1 => json!({"exact": writer.rng.pick(&ORIGINS)}),
                2 => json!({"prefix": "http://"}),
                _ => json!({"regex": writer.rng.pick(&[".*", "https?://[ab]\\.test", "http://.*"])}),
            })
            .collect();
        cors.insert("allowOrigins".into(), json!(origins));
    }
    if writer.rng.chance(60) {
        cors.insert("allowMethods".into(), json!(writer.rng.pick(&[&["GET"][..], &["GET", "POST"], &["*"]])));
    }
    if writer.rng.chance(50) {
        cors.insert("allowHeaders".into(), json!(writer.rng.pick(&[&["x-a"][..], &["x-a", "X-B"], &["*"]])));
    }
    if writer.rng.chance(40) {
        cors.insert("exposeHeaders".into(), json!(writer.rng.pick(&[&["x-up"][..], &["x-up", "X-Two"]])));
    }
    if writer.rng.chance(40) {
        cors.insert("maxAge".into(), json!(writer.rng.pick(&["1s", "24h"])));
    }
    if writer.rng.chance(40) {
        cors.insert("allowCredentials".into(), json!(writer.rng.chance(70)));
    }
    if writer.rng.chance(40) {
        cors.insert("unmatchedPreflights".into(), json!(writer.rng.pick(&["IGNORE", "FORWARD", "UNSPECIFIED"])));
    }
    Some(Value::Object(cors))
}

fn percentage(writer: &mut Writer<'_>) -> Value {
    json!({"value": writer.rng.pick(&[0, 100, 100, 100])})
}

fn fault(writer: &mut Writer<'_>, rule: &mut Map<String, Value>) {
    let mut fault = Map::new();
    if writer.may(Feature::Delay, 7) {
        let mut delay = json!({"fixedDelay": format!("{DELAY}ms")});
        match writer.rng.below(5) {
            0 => {}
            1 => delay["percent"] = json!(writer.rng.pick(&[0, 100])),
            _ => delay["percentage"] = percentage(writer),
        }
        fault.insert("delay".into(), delay);
    }
    if writer.may(Feature::Abort, 9) {
        let grpc = writer.may(Feature::GrpcAbort, 25);
        let mut abort = if grpc {
            json!({"grpcStatus": writer.rng.pick(&["UNAVAILABLE", "OK", "NOT_FOUND"])})
        } else {
            json!({"httpStatus": writer.rng.pick(&[200, 400, 500, 503, 599])})
        };
        if writer.rng.chance(80) {
            abort["percentage"] = percentage(writer);
        }
        fault.insert("abort".into(), abort);
    }
    if !fault.is_empty() {
        rule.insert("fault".into(), Value::Object(fault));
    }
}

fn mirrors(writer: &mut Writer<'_>, rule: &mut Map<String, Value>) {
    if writer.rng.chance(60) {
        rule.insert("mirror".into(), destination(writer));
        match writer.rng.below(4) {
            0 => rule.insert("mirrorPercentage".into(), percentage(writer)),
            1 => rule.insert(
                writer.rng.pick(&["mirrorPercent", "mirror_percent"]).into(),
                json!(writer.rng.pick(&[0, 100])),
            ),
            _ => None,
        };
        return;
    }
    let mirrors: Vec<Value> = (0..=writer.rng.below(2))
        .map(|_| {
            let mut mirror = json!({"destination": destination(writer)});
            if writer.rng.chance(50) {
                mirror["percentage"] = percentage(writer);
            }
            mirror
        })
        .collect();
    rule.insert("mirrors".into(), json!(mirrors));
}
