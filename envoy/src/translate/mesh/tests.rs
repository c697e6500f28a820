use super::super::tests::{SERVICES, manifests};
use super::super::{Around, Model, Options};
use super::{DefaultExport, Mesh};
use crate::diagnostic::Diagnostic;
use crate::manifest::Input;

fn read(text: &str) -> Result<Mesh, Vec<Diagnostic>> {
    Mesh::read(Input { name: "mesh.yaml".into(), bytes: text.as_bytes().to_vec() })
}

fn mesh(text: &str) -> Mesh {
    read(text).unwrap_or_else(|said| panic!("{text}: {said:?}"))
}

fn lines(said: &[Diagnostic]) -> Vec<String> {
    let line = |found: &Diagnostic| {
        let severity = if found.is_error() { "error" } else { "warning" };
        let place = found.place.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{severity} {place}: {}", found.message)
    };
    said.iter().map(line).collect()
}

/// What is said of manifests in a mesh.
fn told(mesh: &Mesh, around: Around, texts: &[&str]) -> Vec<String> {
    let manifests = manifests(texts);
    let options = Options { mesh: mesh.clone(), around, ..Options::default() };
    match Model::new(&manifests, &options) {
        Ok(model) => lines(model.warnings()),
        Err(said) => lines(&said),
    }
}

#[test]
fn a_configuration_that_says_nothing_is_istios_default() {
    assert_eq!(mesh("{}"), Mesh::default());
    let written = "connectTimeout: 10s\nrootNamespace: istio-system\ntrustDomain: cluster.local\ndnsRefreshRate: 60s\n\
                   localityLbSetting: {}\nh2UpgradePolicy: DO_NOT_UPGRADE\n";
    assert_eq!(mesh(written), Mesh::default());
}

#[test]
fn what_is_known_and_not_read_is_listed_once() {
    let text = "
accessLogFile: /dev/stdout
enableTracing: true
extensionProviders: [{name: otel, opentelemetry: {service: otel, port: 4317}}]
defaultConfig: {concurrency: 2, proxyMetadata: {A: b}, gatewayTopology: {numTrustedProxies: 2}}
";
    let mesh = mesh(text);
    let expected = [
        "accessLogFile",
        "defaultConfig.concurrency",
        "defaultConfig.proxyMetadata",
        "enableTracing",
        "extensionProviders",
    ];
    assert_eq!(mesh.unread, expected);
    assert_eq!((mesh.trusted_proxies, mesh.warnings.len(), mesh.lost.len()), (2, 0, 0));
}

#[test]
fn what_istiod_refuses_and_what_nobody_knows_is_an_error_at_its_place() {
    for (text, expected) in [
        ("conectTimeout: 1s", "1:1: unknown field `conectTimeout`, did you mean `connectTimeout`?"),
        ("defaultConfig: {concurency: 1}", "1:17: unknown field `concurency`, did you mean `concurrency`?"),
        ("connectTimeout: 0s", "1:17: a duration of `1ms` to `1h` is expected"),
        ("connectTimeout: 61m", "1:17: a duration of `1ms` to `1h` is expected"),
        ("tcpKeepalive: {time: 0s}", "1:22: a duration of at least `1ms` is expected"),
        ("dnsRefreshRate: 0s", "1:17: a duration of at least `1ms` is expected"),
        ("h2UpgradePolicy: DEFAULT", "1:18: expected one of `DO_NOT_UPGRADE`, `UPGRADE`, found the string `DEFAULT`"),
        ("localityLbSetting: {distribute: [{from: eu, to: {eu: 90}}]}", "1:45: the weights sum to 90, not to 100"),
        ("defaultHttpRetryPolicy: {attempts: -1}", "1:36: `-1` is negative: 0 switches retries off"),
        (
            "defaultHttpRetryPolicy: {attempts: 1, retryOn: '5xx, reset'}",
            "1:48: ` reset`: write `reset` without spaces, as Istio demands",
        ),
        (
            "defaultHttpRetryPolicy: {attempts: 1, backoff: 1s}",
            "1:48: Envoy takes no header for it: retries wait 25 ms and longer, as is Istio's default; leave the field out",
        ),
        ("rootNamespace: Istio", "1:16: `Istio` is no namespace"),
        ("trustDomain: ''", "1:14: `` is no trust domain"),
        ("trustDomainAliases: [a, 'b/c']", "1:25: `b/c` is no trust domain"),
        ("defaultServiceExportTo: ['*.a']", "1:26: `*.a` is no namespace"),
        ("defaultVirtualServiceExportTo: [., .]", "1:36: the namespace `.` is listed twice"),
        ("defaultConfig: {gatewayTopology: {numTrustedProxies: 256}}", "1:54: `256` is out of range: 0 to 255"),
        ("tlsDefaults: {cipherSuites: []}", "1:1: `tlsDefaults` is not supported yet"),
    ] {
        let said = read(text).expect_err(text);
        assert_eq!(lines(&said), [format!("error mesh.yaml:{expected}")], "{text}");
    }
}

#[test]
fn what_has_no_effect_is_a_warning() {
    for (text, expected) in [
        (
            "defaultServiceExportTo: ['*', demo]",
            "1:31: `demo` has no effect: of a default istiod reads `.` and `*` alone",
        ),
        (
            "discoverySelectors: [{matchLabels: {a: b}}]",
            "1:1: `discoverySelectors` are not carried out: every manifest that is given counts",
        ),
    ] {
        let expected = [format!("warning mesh.yaml:{expected}")];
        assert_eq!(lines(&mesh(text).warnings), expected, "{text}");
        assert_eq!(told(&mesh(text), Around::Mesh, &[SERVICES]), expected, "{text}");
    }
    assert_eq!(mesh("discoverySelectors: []").warnings, []);
}

#[test]
fn what_an_envoy_of_ours_would_do_otherwise_is_told_and_elsewhere_others_do_it() {
    for (text, expected) in [
        (
            "outboundTrafficPolicy: {mode: ALLOW_ANY}",
            "warning mesh.yaml:1:31: `ALLOW_ANY` is not carried out: requests to hosts that no manifest has are answered 404",
        ),
        (
            "pathNormalization: {normalization: MERGE_SLASHES}",
            "error mesh.yaml:1:36: path normalization other than `BASE` is not supported: other rules would match than in \
             the mesh",
        ),
        (
            "defaultConfig: {gatewayTopology: {forwardClientCertDetails: FORWARD_ONLY}}",
            "error mesh.yaml:1:61: anything but `SANITIZE_SET` is not supported: a gateway here says who the client is, \
             nobody else",
        ),
        (
            "defaultConfig: {gatewayTopology: {proxyProtocol: {}}}",
            "error mesh.yaml:1:35: the PROXY protocol is not supported: gateways would take its first line for a request",
        ),
    ] {
        let mesh = mesh(text);
        for around in [Around::Bootstrap, Around::Dynamic] {
            assert_eq!(told(&mesh, around, &[SERVICES]), [expected], "{text}");
        }
        for around in [Around::Mesh, Around::Parts] {
            assert_eq!(told(&mesh, around, &[SERVICES]), [""; 0], "{text}");
        }
    }
    for right in [
        "outboundTrafficPolicy: {mode: REGISTRY_ONLY}",
        "pathNormalization: {normalization: BASE}",
        "defaultConfig: {gatewayTopology: {forwardClientCertDetails: SANITIZE_SET}}",
    ] {
        assert_eq!(mesh(right).lost, [], "{right}");
    }
}

#[test]
fn a_default_without_a_dot_or_a_star_is_nobodys_but_for_delegates() {
    let of = |names: &[&str]| DefaultExport::of(names.iter().map(|name| (*name).to_owned()).collect());
    for (default, expected, of_delegate) in [
        (&[][..], &[][..], &[][..]),
        (&["*"], &["*"], &["*"]),
        (&["."], &["."], &["."]),
        (&["*", "."], &["."], &["*"]),
        (&["~", "other"], &["~"], &["other"]),
        (&["other"], &["~"], &["other"]),
        (&["~"], &["~"], &["~"]),
    ] {
        let default = of(default);
        assert_eq!(default.or_default(&[]), expected, "{default:?}");
        assert_eq!(default.or_default_of_delegate(&[]), of_delegate, "{default:?}");
        assert_eq!(default.or_default(&["a".to_owned()]), ["a"]);
        assert_eq!(default.or_default_of_delegate(&["a".to_owned()]), ["a"]);
    }
}

fn virtual_service(namespace: &str, name: &str, fields: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{fields}}}
"
    )
}

const TO: &str = "route: [{destination: {host: catalogdetail.workshop.svc.cluster.local}}]";

/// Which rules there are, each with its attempts.
fn attempts(mesh: &Mesh, texts: &[&str]) -> Vec<(String, u32)> {
    let manifests = manifests(texts);
    let options = Options { mesh: mesh.clone(), ..Options::default() };
    let model = Model::new(&manifests, &options).unwrap_or_else(|said| panic!("{said:?}"));
    let listener = model.listener(&model.mesh()).unwrap_or_else(|said| panic!("{said:?}"));
    let rules = listener.policy.rules().iter();
    rules.map(|rule| (rule.name.to_string(), rule.retries.as_ref().map_or(0, |retries| retries.attempts))).collect()
}

/// `ApplyRoute` of istiod's `route.go`, after `mergeHTTPRoute` has given a delegate's rule what it lacks.
#[test]
fn rules_without_retries_have_the_meshs_and_a_delegates_rule_first_those_of_the_rule_that_delegates() {
    let root = virtual_service(
        "workshop",
        "root",
        &format!(
            "hosts: [catalogdetail], http: [
              {{name: says, match: [{{uri: {{prefix: /a}}}}], retries: {{attempts: 1}}, {TO}}},
              {{name: never, match: [{{uri: {{prefix: /b}}}}], retries: {{attempts: 0}}, {TO}}},
              {{name: silent, match: [{{uri: {{prefix: /c}}}}], {TO}}},
              {{name: answers, match: [{{uri: {{prefix: /d}}}}], directResponse: {{status: 200}}}},
              {{name: hands, match: [{{uri: {{prefix: /e}}}}], retries: {{attempts: 5}}, delegate: {{name: leaf}}}},
              {{name: leaves, match: [{{uri: {{prefix: /f}}}}], delegate: {{name: leaf}}}}]"
        ),
    );
    let leaf = virtual_service(
        "workshop",
        "leaf",
        &format!(
            "http: [{{name: own, match: [{{headers: {{a: {{exact: b}}}}}}], retries: {{attempts: 7}}, {TO}}}, {{name: rest, {TO}}}]"
        ),
    );
    let named = |attempts: &[(&str, u32)]| -> Vec<(String, u32)> {
        attempts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    let rules = |silent: u32| {
        named(&[
            ("says", 1),
            ("never", 0),
            ("silent", silent),
            ("answers", 2),
            ("hands-own", 7),
            ("hands-rest", 5),
            ("leaves-own", 7),
            ("leaves-rest", silent),
        ])
    };
    assert_eq!(attempts(&Mesh::default(), &[SERVICES, &root, &leaf]), rules(2));
    let three = mesh("defaultHttpRetryPolicy: {attempts: 3, retryOn: '5xx,503', perTryTimeout: 2s}");
    assert_eq!(attempts(&three, &[SERVICES, &root, &leaf]), rules(3));
    assert_eq!(attempts(&mesh("defaultHttpRetryPolicy: {attempts: 0}"), &[SERVICES, &root, &leaf]), rules(0));
}

/// `initVirtualServices` of istiod's `push_context.go`.
#[test]
fn virtual_services_that_do_not_say_are_exported_as_the_mesh_says() {
    let own = virtual_service("workshop", "own", &format!("hosts: [a.example.com], http: [{{name: own, {TO}}}]"));
    let other = virtual_service("team", "other", &format!("hosts: [b.example.com], http: [{{name: other, {TO}}}]"));
    let shown = virtual_service(
        "team",
        "shown",
        &format!("hosts: [c.example.com], exportTo: ['*'], http: [{{name: shown, {TO}}}]"),
    );
    let seen = |default: &str| -> Vec<String> {
        let manifests = crate::manifest::read_sources(
            [SERVICES, &own, &other, &shown]
                .iter()
                .enumerate()
                .map(|(at, text)| Input { name: format!("{at}.yaml"), bytes: text.as_bytes().to_vec() })
                .collect(),
            Some("workshop"),
        )
        .unwrap_or_else(|said| panic!("{said:?}"));
        let options = Options { mesh: mesh(default), ..Options::default() };
        let model = Model::new(&manifests, &options).unwrap_or_else(|said| panic!("{said:?}"));
        let listener = model.listener(&model.mesh()).unwrap_or_else(|said| panic!("{said:?}"));
        let mut names: Vec<_> = listener.policy.rules().iter().map(|rule| rule.name.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(seen("{}"), ["other", "own", "shown"]);
    assert_eq!(seen("defaultVirtualServiceExportTo: [.]"), ["own", "shown"]);
    assert_eq!(seen("defaultVirtualServiceExportTo: ['*', .]"), ["own", "shown"]);
    assert_eq!(seen("defaultVirtualServiceExportTo: ['~']"), ["shown"]);
}

#[test]
fn services_of_kubernetes_are_exported_as_the_mesh_says() {
    let service = |namespace: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: {namespace}}}\nspec: {{ports: [{{port: 80}}]}}\n"
        )
    };
    let mesh = mesh("defaultServiceExportTo: [.]");
    let message = "this is not exported to the proxy's namespace `default`";
    let (one, two) = (service("one"), service("two"));
    let said = told(&mesh, Around::Bootstrap, &[&one, &two]);
    assert_eq!(said, [format!("warning a.yaml:3:18: {message}"), format!("warning b.yaml:3:18: {message}")]);
    assert_eq!(told(&mesh, Around::Bootstrap, &[&one]), [""; 0], "the proxy is in the namespace of all manifests");
    let annotated = |text: &str, to: &str| {
        let note = format!("namespace: one, annotations: {{networking.istio.io/exportTo: '{to}'}}");
        text.replace("namespace: one", &note)
    };
    for (to, expected) in [("*", 0), ("a, default", 0), ("other", 1), ("~", 1), (".", 1)] {
        let said = told(&Mesh::default(), Around::Bootstrap, &[&annotated(&one, to), &two]);
        assert_eq!(said.len(), expected, "{to}: {said:?}");
    }
    assert_eq!(told(&mesh, Around::Bootstrap, &[&annotated(&one, "*"), &two]).len(), 1);
}
