//! Files to cases.

use super::lowered::{Host, Lowered, LoweredRequest, bytes};
use super::spec::{Case, CaseSpec, ErrorSpec, RequestSpec, Text};
use super::translate::translate;
use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use switchyard_envoy::yaml;
use switchyard_filter::report::latin1;
use switchyard_host_sim::path::normalize;

/// A case with the file that it came from.
#[derive(Clone, Debug)]
pub struct CaseFile {
    /// What hosts run.
    pub lowered: Lowered,
    /// The manifests, as they are written.
    pub manifests: String,
    /// As it is written.
    pub spec: CaseSpec,
    /// What is wrong before any host runs it: the manifests are refused, or not as they should be.
    pub wrong: Vec<String>,
}

/// Where the cases are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Every case below the folder, sorted by name. Errors: a file that is no case, a folder without any.
///
/// While one works on a case, `SWITCHYARD_CASES_ONLY=part-of-a-name` leaves the others out.
pub fn load_all(folder: &Path) -> Result<Vec<CaseFile>, String> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let only = std::env::var("SWITCHYARD_CASES_ONLY").unwrap_or_default();
    let mut cases = Vec::new();
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(&file).with_extension("").to_string_lossy().into_owned();
        if name.contains(&only) {
            let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            cases.push(load(&name, &text).map_err(|error| format!("{}: {error}", file.display()))?);
        }
    }
    if cases.is_empty() {
        return Err(format!("no case below {} (SWITCHYARD_CASES_ONLY is `{only}`)", folder.display()));
    }
    Ok(cases)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let before = files.len();
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        } else {
            return Err(format!("{} is no case", path.display()));
        }
    }
    if files.len() == before { Err(format!("{} has no case", folder.display())) } else { Ok(()) }
}

/// One case. Errors: the last document is no `kind: Case`, or wrong.
pub fn load(name: &str, text: &str) -> Result<CaseFile, String> {
    let (manifests, case) = text.rsplit_once("\n---\n").ok_or("no `---` before the last document")?;
    let spec = read(case)?;
    if spec.requests.is_empty() == spec.errors.is_empty() {
        return Err("a case has `requests` or `errors`".into());
    }
    let mut cannot_run = BTreeMap::new();
    for (host, reason) in &spec.cannot_run {
        let known = Host::ALL.into_iter().find(|known| known.name() == host);
        let known = known.ok_or_else(|| format!("cannotRun: `{host}` is no host"))?;
        if reason.is_empty() {
            return Err(format!("cannotRun.{host}: a reason is missing"));
        }
        cannot_run.insert(known, reason.clone());
    }
    let requests = spec.requests.iter().map(lower).collect::<Result<_, _>>()?;
    let translated = translate(name, manifests, &spec.proxy);
    let (document, wrong) = match translated.document {
        Ok(document) => (Some(document), unsaid(&spec.errors, &[])),
        Err(said) => (translated.by_hand, unsaid(&spec.errors, &said)),
    };
    let lowered = Lowered { name: name.into(), document, refused: !spec.errors.is_empty(), requests, cannot_run };
    Ok(CaseFile { lowered, manifests: manifests.into(), spec, wrong })
}

fn read(text: &str) -> Result<CaseSpec, String> {
    let (documents, problems) = yaml::load(text);
    if let Some(problem) = problems.first() {
        return Err(format!("the case: {}", problem.message));
    }
    let [document] = documents.as_slice() else { return Err("the case is no document".into()) };
    let case: Case = switchyard_filter::read::read(&document.to_json())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    if (case.api_version.as_str(), case.kind.as_str()) != ("switchyard.dev/v1alpha1", "Case") {
        return Err(format!("the last document is `{} {}`", case.api_version, case.kind));
    }
    Ok(case.spec)
}

/// What was to be said of the manifests and was not, and the other way round.
fn unsaid(expected: &[ErrorSpec], said: &[ErrorSpec]) -> Vec<String> {
    if expected == said {
        return Vec::new();
    }
    let line = |e: &ErrorSpec| format!("\n      - {{field: {:?}, message: {:?}}}", e.field, e.message);
    let show = |errors: &[ErrorSpec]| errors.iter().map(line).collect::<Vec<_>>().concat();
    vec![format!("errors: expected{}\n    found{}", show(expected), show(said))]
}

fn lower(written: &RequestSpec) -> Result<LoweredRequest, String> {
    let url = &written.url;
    let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("`{url}` is no URL"))?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let method = if written.method.is_empty() { "GET" } else { &written.method };
    let target = match &written.target {
        Some(Text(target)) => latin1(target),
        None if path.is_empty() => return Err(format!("`{url}` has no path: write one, or a `target`")),
        None => path.to_owned(),
    };
    let source_address = match written.source_address.as_str() {
        "" => Ok(IpAddr::from(Ipv4Addr::LOCALHOST)),
        address => address.parse().map_err(|_| format!("`{address}` is no address")),
    };
    Ok(LoweredRequest {
        method: method.into(),
        scheme: scheme.into(),
        authority: authority.into(),
        path: (method != "CONNECT").then(|| latin1(&normalize(&bytes(&target)))),
        target,
        headers: written.headers.iter().map(|line| (line.name.clone(), latin1(&line.value.0))).collect(),
        source_address: source_address?,
        has_source_address: !written.source_address.is_empty(),
        expect: written.expect.0.clone(),
        envoy_answers: written.envoy_answers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: demo}
spec: {hosts: [shop], http: [{route: [{destination: {host: shop}}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: demo}
spec: {ports: [{port: 80, name: http}]}";

    fn case(spec: &str) -> Result<CaseFile, String> {
        load("topic/rule", &format!("{SHOP}\n---\napiVersion: switchyard.dev/v1alpha1\nkind: Case\nspec: {spec}\n"))
    }

    #[test]
    fn a_request_becomes_lines_and_keeps_what_is_sent() {
        let spec =
            "{pins: x, requests: [{method: POST, url: 'http://shop:80/a/../b?c', headers: [[X-A, {base64: /w==}]]}]}";
        let file = case(spec).unwrap();
        assert_eq!(file.wrong, [""; 0]);
        let request = &file.lowered.requests[0];
        assert_eq!((request.path.as_deref(), request.target.as_str()), (Some("/b?c"), "/a/../b?c"));
        let lines: Vec<_> =
            request.lines().iter().map(|(name, value)| format!("{}={}", latin1(name), latin1(value))).collect();
        assert_eq!(lines, [":authority=shop:80", ":path=/b?c", ":method=POST", ":scheme=http", "x-a=\u{ff}"]);
    }

    #[test]
    fn what_a_case_cannot_say_is_an_error() {
        for (spec, error) in [
            ("{pins: x, requests: []}", "a case has `requests` or `errors`"),
            ("{requests: [{url: 'http://shop/'}]}", "spec: `pins` is missing"),
            ("{pins: x, request: []}", "spec.request: unknown field `request`, did you mean `requests`?"),
            ("{pins: x, requests: [{url: 'http://shop'}]}", "`http://shop` has no path: write one, or a `target`"),
            ("{pins: x, requests: [{url: shop}]}", "`shop` is no URL"),
            ("{pins: x, requests: [{url: 'http://shop/'}], cannotRun: {mars: far}}", "cannotRun: `mars` is no host"),
            (
                "{pins: x, requests: [{url: 'http://shop/'}], cannotRun: {envoy: ''}}",
                "cannotRun.envoy: a reason is missing",
            ),
            (
                "{pins: x, requests: [{url: 'http://shop/', expect: {rul: a}}]}",
                "spec.requests[0].expect.rul: unknown field `rul`, did you mean `rule`?",
            ),
            (
                "{pins: x, requests: [{url: 'http://shop/', expect: {port: a}}]}",
                "spec.requests[0].expect.port: is no value that this field can have",
            ),
            (
                "{pins: x, requests: [{url: 'http://shop/', headers: [[a]]}]}",
                "spec.requests[0].headers[0]: expected a list of name and value, found a list",
            ),
        ] {
            assert_eq!(case(spec).map(|_| ()).unwrap_err(), error, "{spec}");
        }
    }

    #[test]
    fn errors_that_are_said_and_not_expected_are_wrong_and_the_other_way_round() {
        let expected = "{pins: x, errors: [{field: spec, message: wrong}]}";
        assert!(case(expected).unwrap().wrong[0].contains("message: \"wrong\""));
        let bad = format!(
            "{}\n---\nkind: Case\napiVersion: switchyard.dev/v1alpha1\nspec: {{pins: x, requests: [{{url: 'http://a/'}}]}}",
            SHOP.replace("hosts", "host")
        );
        assert!(load("a/b", &bad).unwrap().wrong[0].contains("unknown field `host`"));
    }
}
