//! One request through Envoy, and what is seen of its decision on both sides.

use super::rig::{ARRIVED, CONSUMED, SEEN};
use crate::case::{Header, LoweredRequest, Observed, Seen};
use crate::harness::{Client, Echo, Received, Request, Response, from_latin1, latin1};
use std::time::{Duration, Instant};
use switchyard_filter::headers::{CLUSTER, MIRROR_PREFIX};

/// How much too early Envoy's own timer may be: it counts from the time of its loop's last turn (envoy.md 3).
const EARLY: Duration = Duration::from_millis(5);
/// How long a mirror's copy may take to arrive behind the response.
const COPIES: Duration = Duration::from_secs(5);

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
    let sent = Instant::now();
    let response = client.send(&lines(request, cookie)).await?;
    let took = sent.elapsed();
    let (mut arrived, mirrors) = arrivals(echo).await?;
    let told = |name: &str| {
        let value = response.header(&format!("{SEEN}{name}")).next().map(latin1).unwrap_or_default();
        if value == "-" { String::new() } else { value }
    };
    let mut seen = Seen {
        rule: told("rule"),
        tags: told("tags"),
        cluster: told("cluster"),
        response: client_lines(&response),
        fault: told("fault"),
        mirrors,
        ..Seen::default()
    };
    if !observing {
        let delay = delay(&seen.fault);
        if took + EARLY < delay {
            return Err(format!("`{}` is decided, and the answer comes after {took:?}", seen.fault));
        }
        seen.aborted = aborted(request, &response, &told("details"), &seen.fault)?;
    }
    match (arrived.pop(), arrived.len()) {
        (Some(request), 0) => seen.upstream = Some(upstream(request)),
        (None, _) if seen.aborted => {}
        (Some(_), more) => return Err(format!("the upstream got {} requests", more + 1)),
        (None, _) if told("details").starts_with("switchyard{") => {
            seen.reply = Some((response.status, latin1(&response.body)));
        }
        // An upstream may refuse what it is sent before anyone sees it: Envoy tells where it sent what.
        (None, _) if told("details") == "via_upstream" && response.status == 400 => {
            let line = |name: &str, value: String| (name.into(), from_latin1(&value).unwrap_or_default());
            seen.upstream = Some(vec![
                line(":path", told("path")),
                line(":authority", told("authority")),
                line(CLUSTER, told("upstream")),
            ]);
        }
        (None, _) => return Err(unexplained(&response, &told("details"))),
    }
    let to = told("upstream");
    let went = seen.cluster.clone();
    let is_aborted = seen.aborted;
    let decided = seen.decision(observing)?;
    if !observing && !is_aborted && decided.fields["action"] == "forward" && to != went {
        return Err(format!("the decision is `{went}`, and Envoy chose `{to}`"));
    }
    Ok(decided)
}

/// What arrived, and the clusters that got copies of it: those, no more and no fewer, whose names went out.
async fn arrivals(echo: &Echo) -> Result<(Vec<Received>, Vec<String>), String> {
    let until = Instant::now() + COPIES;
    let (mut primary, mut copies) = (Vec::new(), Vec::new());
    loop {
        for received in echo.received() {
            // No client can say so here: Envoy removes it from what comes from outside.
            let is_copy = header(&received, "x-envoy-internal").as_deref() == Some("true");
            if is_copy { copies.push(received) } else { primary.push(received) }
        }
        let asked = primary.first().map(|one| (1..=16).filter_map(|n| header(one, &format!("{MIRROR_PREFIX}{n}"))));
        let asked: Vec<String> = asked.into_iter().flatten().collect();
        if copies.len() >= asked.len() || Instant::now() > until {
            let mut got: Vec<String> = copies.iter().map(|copy| header(copy, ARRIVED).unwrap_or_default()).collect();
            let mut expected = asked.clone();
            got.sort_unstable();
            expected.sort_unstable();
            if got != expected {
                return Err(format!("copies are to go to {expected:?}, and arrive at {got:?}"));
            }
            if let Some((name, _)) = copies.iter().flat_map(|copy| &copy.headers).find(|(name, _)| is_ours(name)) {
                return Err(format!("`{name}` reaches a mirror"));
            }
            return Ok((primary, asked));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The lines that the client gets, without the test's own.
fn client_lines(response: &Response) -> Vec<(String, String)> {
    let lines = response.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), latin1(value)));
    lines.filter(|(name, _)| !name.starts_with(SEEN)).collect()
}

fn is_ours(name: &str) -> bool {
    name.starts_with("x-switchyard-") || name.starts_with("x-envoy-fault-")
}

fn header(received: &Received, name: &str) -> Option<String> {
    received.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

fn delay(fault: &str) -> Duration {
    let found = fault.split(',').find_map(|part| part.strip_prefix("delay=")?.parse().ok());
    found.map_or(Duration::ZERO, Duration::from_millis)
}

/// Whether a fault answered: exactly when one is decided, with its status.
fn aborted(request: &LoweredRequest, response: &Response, details: &str, fault: &str) -> Result<bool, String> {
    let is_aborted = details == "fault_filter_abort" || details.starts_with("switchyard{fault_abort");
    let abort = fault.split(',').find_map(|part| part.strip_prefix("abort="));
    let grpc = response.header("grpc-status").next().map(latin1);
    let calls_grpc = request.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type")
            && (value == "application/grpc" || value.starts_with("application/grpc+"))
    });
    let (status, code) = match abort {
        None if is_aborted => return Err("a fault answers, and none is decided".into()),
        None => return Ok(false),
        Some(abort) if !is_aborted => return Err(format!("`abort={abort}` is decided, and {details} answers")),
        Some(abort) => match abort.strip_prefix("grpc-") {
            Some(code) => (200, Some(code.to_owned())),
            None => (abort.parse().map_err(|_| format!("`{abort}` is no status"))?, None),
        },
    };
    // A gRPC call is answered in its own way, and nobody else is told a gRPC status (envoy.md 2).
    let expected = match (calls_grpc, code) {
        (true, Some(code)) => (200, Some(code)),
        (true, None) => (200, Some(if status == 503 { "14" } else { "2" }.to_owned())),
        (false, _) => (status, None),
    };
    if (response.status, grpc.clone()) != expected || (!calls_grpc && response.text() != "fault filter abort") {
        let found = (response.status, grpc, response.text());
        return Err(format!("an abort is to be {expected:?}, and is {found:?}"));
    }
    Ok(true)
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
        } else if name == ARRIVED {
            // The test's own.
        } else if name == "host" {
            lines.push((b":authority".to_vec(), bytes(&value)));
        } else if !CONSUMED.contains(&name.as_str()) {
            lines.push((name.into(), bytes(&value)));
        }
    }
    lines
}
