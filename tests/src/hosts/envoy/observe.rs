//! One request through Envoy, and what is seen of its decision on both sides.

use super::rig::{CONSUMED, SEEN};
use crate::case::{Header, LoweredRequest, Observed, Seen};
use crate::harness::{Client, Echo, Received, Request, Response, from_latin1, latin1};

/// The request as it goes over the wire, with a cookie line more.
pub fn lines(request: &LoweredRequest, cookie: Option<Vec<u8>>) -> Request {
    let bytes = |text: &str| from_latin1(text).unwrap_or_default();
    let mut sent = Request::new(&request.method, bytes(&request.authority), bytes(&request.target));
    if request.has_source_address {
        // The test's listener trusts one proxy in front, whose word this is.
        sent = sent.header("x-forwarded-for", request.source_address.to_string());
    }
    for (name, value) in &request.headers {
        sent = sent.header(name, bytes(value));
    }
    cookie.into_iter().fold(sent, |sent, cookie| sent.header("cookie", cookie))
}

/// Sends it and tells what was decided. Errors: no response, an answer that is neither the upstream's nor the filter's.
pub async fn observe(
    client: &mut Client,
    echo: &Echo,
    request: &LoweredRequest,
    cookie: Option<Vec<u8>>,
    observing: bool,
) -> Result<Observed, String> {
    let response = client.send(&lines(request, cookie)).await?;
    let mut arrived = echo.received();
    let told = |name: &str| {
        let value = response.header(&format!("{SEEN}{name}")).next().map(latin1).unwrap_or_default();
        if value == "-" { String::new() } else { value }
    };
    let cookies = response.header("set-cookie").map(|value| ("set-cookie".to_owned(), latin1(value)));
    let mut seen = Seen {
        rule: told("rule"),
        tags: told("tags"),
        cluster: told("cluster"),
        response: cookies.collect(),
        ..Seen::default()
    };
    match (arrived.pop(), arrived.len()) {
        (Some(request), 0) => seen.upstream = Some(upstream(request)),
        (Some(_), more) => return Err(format!("the upstream got {} requests", more + 1)),
        (None, _) if told("details").starts_with("switchyard{") => {
            seen.reply = Some((response.status, latin1(&response.body)));
        }
        (None, _) => return Err(unexplained(&response, &told("details"))),
    }
    let to = told("upstream");
    let went = seen.cluster.clone();
    let decided = seen.decision(observing)?;
    if !observing && decided.fields["action"] == "forward" && to != went {
        return Err(format!("the decision is `{went}`, and Envoy chose `{to}`"));
    }
    Ok(decided)
}

fn unexplained(response: &Response, details: &str) -> String {
    format!("Envoy answers {} ({details}): {}", response.status, response.text())
}

/// The lines as they left the filter: what the router consumed or removed comes from its copy.
fn upstream(received: Received) -> Vec<Header> {
    let bytes = |text: &str| from_latin1(text).unwrap_or_default();
    let mut lines: Vec<Header> =
        vec![(b":path".to_vec(), bytes(&received.path)), (b":method".to_vec(), bytes(&received.method))];
    for (name, value) in received.headers {
        if let Some(name) = name.strip_prefix(SEEN) {
            lines.push((name.into(), bytes(&value)));
        } else if name == "host" {
            lines.push((b":authority".to_vec(), bytes(&value)));
        } else if !CONSUMED.contains(&name.as_str()) {
            lines.push((name.into(), bytes(&value)));
        }
    }
    lines
}
