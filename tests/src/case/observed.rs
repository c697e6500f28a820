//! What a host saw of a decision.

use serde_json::{Map, Value, json};
use switchyard_filter::report::latin1;

/// A request header that begins with this asks the upstream for a header of the answer: what follows is its name.
pub const ANSWER: &str = "x-answer-header-";

/// Headers that Envoy gives every answer.
const ENVOYS: [&str; 6] =
    ["connection", "content-length", "date", "server", "transfer-encoding", "x-envoy-upstream-service-time"];

/// A header line: lower-case name and value.
pub type Header = (Vec<u8>, Vec<u8>);

/// A decision as a host saw it.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Fields of a [`Report`](switchyard_filter::report::Report); one that the host cannot see is missing.
    pub fields: Map<String, Value>,
    /// The lines that the next hop gets; `None` where there is none.
    pub upstream: Option<Vec<Header>>,
}

/// What hosts see that run the filter as a plugin: its effects.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Filter state `wasm.switchyard_rule`.
    pub rule: String,
    /// Filter state `wasm.switchyard_tags`.
    pub tags: String,
    /// Filter state `wasm.switchyard_cluster`.
    pub cluster: String,
    /// The lines that the next hop gets, pseudo headers among them; `None` where the filter answered.
    pub upstream: Option<Vec<Header>>,
    /// Status and body of an answer of the filter.
    pub reply: Option<(u16, String)>,
    /// Lines of the response that the client gets.
    pub response: Vec<(String, String)>,
    /// Filter state `wasm.switchyard_fault`; empty for none. That it was injected is the host's to see.
    pub fault: String,
    /// Whether it was answered by that fault, so that nothing is seen of what would have become of it.
    pub aborted: bool,
    /// Clusters that got a copy, in order.
    pub mirrors: Vec<String>,
}

impl Seen {
    /// The decision that has these effects. `observing`: the policy only observes, so it has none, and only the filter
    /// state tells it.
    pub fn decision(self, observing: bool) -> Result<Observed, String> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
        let lines = self.upstream.as_deref().unwrap_or_default();
        let set = joined(lines, "x-switchyard-cluster");
        let told = Some(self.cluster.as_str()).filter(|cluster| !matches!(*cluster, "" | "-"));
        let only_told = observing || (self.aborted && self.upstream.is_none());
        let cluster = if only_told { told.map(Into::into) } else { set };
        if !only_told && cluster.as_deref() != told {
            return Err(format!("the request goes to {cluster:?}, and the access log is told `{}`", self.cluster));
        }
        let named = self.rule.splitn(3, '/').collect::<Vec<_>>();
        let (virtual_service, rule) = match named.as_slice() {
            [namespace, name, rule] => (json!(format!("{namespace}/{name}")), json!(rule)),
            _ => (Value::Null, Value::Null),
        };
        put("virtualService", virtual_service);
        put("rule", rule);
        let replies = self.reply.is_some()
            || (observing && matches!(&*self.rule, "no_route" | "no_virtual_host"))
            || (self.aborted && cluster.is_none());
        put("action", json!(if replies { "reply" } else { cluster.as_ref().map_or("pass", |_| "forward") }));
        put("fault", fault(&self.fault)?);
        put("mirrors", json!(self.mirrors));
        put("responseNames", self.response.iter().map(|(name, _)| json!(name)).collect());
        // What the upstream was asked to answer is none of the decision's, nor are an answer's own headers, nor what
        // Envoy adds to every answer and every body.
        let mut response = self.response;
        response.retain(|(name, value)| {
            let of_body = name == "content-type" && matches!(value.as_str(), "application/json" | "text/plain");
            !of_body && !ENVOYS.contains(&name.as_str())
        });
        for (name, value) in lines {
            let Some(answered) = latin1(name).strip_prefix(ANSWER).map(str::to_owned) else { continue };
            let line = (answered, latin1(value));
            if let Some(index) = response.iter().position(|known| *known == line) {
                response.remove(index);
            }
        }
        let is_own = |(name, _): &(String, String)| name == "location" || name.starts_with("access-control-");
        let (own, response) = response.into_iter().partition::<Vec<_>, _>(|line| self.reply.is_some() && is_own(line));
        let reply = |(status, body)| json!({"status": status, "headers": own, "body": body});
        put("reply", self.reply.map_or(Value::Null, reply));
        let parts: Vec<_> = cluster.as_deref().map(|name| name.splitn(4, '|').collect()).unwrap_or_default();
        let (host, subset, port) = match parts.as_slice() {
            ["outbound", port, subset, host] => {
                let subset = if subset.is_empty() { Value::Null } else { json!(subset) };
                (json!(host), subset, json!(port.parse::<u16>().map_err(|_| format!("`{port}` is no port"))?))
            }
            _ => Default::default(),
        };
        put("host", host);
        put("subset", subset);
        put("port", port);
        put("cluster", json!(cluster));
        put("tags", Value::Object(tags(&self.tags)?));
        put("responseHeaders", json!(response));
        if self.upstream.is_some() {
            put("path", json!(joined(lines, ":path")));
            put("authority", json!(joined(lines, ":authority")));
        }
        if !observing {
            put(
                "requestHeaders",
                Value::Object(
                    lines
                        .iter()
                        .map(|(name, _)| latin1(name))
                        .map(|name| {
                            let value = joined(lines, &name);
                            (name, json!(value))
                        })
                        .collect(),
                ),
            );
            put("timeoutMs", number(lines, "x-envoy-upstream-rq-timeout-ms")?);
            put("retries", retries(lines)?);
        }
        Ok(Observed { fields, upstream: self.upstream })
    }
}

/// The lines of a header, joined with `,`.
pub fn joined(lines: &[Header], name: &str) -> Option<String> {
    let mut values = lines.iter().filter(|(line, _)| line == name.as_bytes()).map(|(_, value)| latin1(value));
    let first = values.next()?;
    Some(values.fold(first, |all, value| all + "," + &value))
}

/// `user-type=internal,tier=gold`; what would be read as part of that is percent-encoded.
fn tags(told: &str) -> Result<Map<String, Value>, String> {
    let pairs = told.split(',').filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((name.to_owned(), json!(value.replace("%2C", ",").replace("%3D", "=").replace("%25", "%"))))
    };
    pairs.map(|pair| read(pair).ok_or_else(|| format!("`{told}` is no list of tags"))).collect()
}

/// `delay=300,abort=503` or `abort=grpc-14`, as in a report.
fn fault(told: &str) -> Result<Value, String> {
    if told.is_empty() {
        return Ok(Value::Null);
    }
    let part = |name: &str| {
        let found = told.split(',').find_map(|part| part.strip_prefix(name));
        found.map(|number| number.parse::<u64>().map_err(|_| format!("`{told}` is no fault"))).transpose()
    };
    let abort = told.split(',').any(|part| part.starts_with("abort=grpc-"));
    let (status, grpc) = if abort { (None, part("abort=grpc-")?) } else { (part("abort=")?, None) };
    Ok(json!({"delayMs": part("delay=")?, "abortStatus": status, "grpcStatus": grpc}))
}

fn number(lines: &[Header], name: &str) -> Result<Value, String> {
    let number = |text: String| text.parse::<u64>().map(Value::from).map_err(|_| format!("{name} `{text}`"));
    joined(lines, name).map_or(Ok(Value::Null), number)
}

fn retries(lines: &[Header]) -> Result<Value, String> {
    let attempts = number(lines, "x-envoy-max-retries")?;
    if attempts.is_null() {
        return Ok(Value::Null);
    }
    let on = ["x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-retriable-status-codes"];
    let on: Vec<_> = on.iter().filter_map(|name| joined(lines, name)).collect();
    Ok(json!({
        "attempts": attempts,
        "perTryTimeoutMs": number(lines, "x-envoy-upstream-rq-per-try-timeout-ms")?,
        "retryOn": on.join(","),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, value: &str) -> Header {
        (name.into(), value.into())
    }

    #[test]
    fn effects_tell_the_decision() {
        let cluster = "outbound|80|v1|shop.demo.svc.cluster.local";
        let seen = Seen {
            rule: "demo/shop/http[0]".into(),
            tags: "user-type=internal,tier=gold".into(),
            cluster: cluster.into(),
            upstream: Some(vec![
                line(":path", "/a"),
                line("x-switchyard-cluster", cluster),
                line("x-envoy-max-retries", "2"),
                line("x-envoy-retry-on", "5xx"),
                line("x-envoy-retriable-status-codes", "503"),
            ]),
            ..Seen::default()
        };
        let fields = seen.clone().decision(false).unwrap().fields;
        assert_eq!((&fields["virtualService"], &fields["rule"]), (&json!("demo/shop"), &json!("http[0]")));
        assert_eq!(
            (&fields["action"], &fields["subset"], &fields["port"]),
            (&json!("forward"), &json!("v1"), &json!(80))
        );
        assert_eq!(fields["tags"], json!({"user-type": "internal", "tier": "gold"}));
        assert_eq!(fields["retries"], json!({"attempts": 2, "perTryTimeoutMs": null, "retryOn": "5xx,503"}));
        // The header and the access log must agree.
        let other = Seen { cluster: "other".into(), ..seen };
        assert!(other.decision(false).is_err());
    }

    #[test]
    fn under_observation_only_the_access_log_tells() {
        let seen = Seen {
            rule: "no_route".into(),
            cluster: "-".into(),
            upstream: Some(vec![line(":path", "/")]),
            ..Seen::default()
        };
        let fields = seen.decision(true).unwrap().fields;
        assert_eq!((&fields["action"], &fields["cluster"]), (&json!("reply"), &Value::Null));
        assert_eq!(fields.get("requestHeaders"), None, "nothing was set");
    }
}
