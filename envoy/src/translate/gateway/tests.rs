use super::super::tests::told;
use crate::diagnostic::human;
use crate::manifest::{Input, read_sources};
use crate::translate::{Model, Options};

/// A Gateway with these servers.
fn gateway(name: &str, servers: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}}}
spec:
  servers:
{servers}"
    )
}

/// An HTTPS server with this `tls`.
fn https(tls: &str) -> String {
    gateway("a", &format!("  - {{port: {{number: 443, name: s, protocol: HTTPS}}, hosts: [a.test], tls: {{{tls}}}}}\n"))
}

#[test]
fn hosts_and_port_names_of_servers_are_checked() {
    let servers = "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [ns/a.example.com, a/b/c]}
  - {port: {number: 81, name: http, protocol: HTTP}, hosts: ['a.*.com']}
";
    assert_eq!(
        told(&[&gateway("a", servers)]),
        [
            "error a.yaml:6:80: `a/b/c` is no host: write `namespace/host` or the host alone",
            "error a.yaml:7:31: the port `http` is listed twice: give each a name of its own",
            "error a.yaml:7:62: `a.*.com` is no host: a `*` can only be the whole first label",
        ]
    );
}

#[test]
fn what_istio_refuses_of_a_server_is_an_error_at_its_field() {
    let table = [
        ("number: 80, name: '', protocol: HTTP", "`name` is empty: give the port a name"),
        ("number: 80, name: a, protocol: HTTP, targetPort: 8080", "`targetPort` has no impact on a Gateway"),
        ("number: 80, name: a, protocol: HTPS", "`HTPS` is no protocol"),
        (
            "number: 80, name: a, protocol: TCP",
            "the protocol `TCP` is not supported: an HTTP filter decides requests only",
        ),
        ("number: 80, name: a, protocol: HTTPS", "a server for `HTTPS` needs `tls`"),
    ];
    for (port, message) in table {
        let said = told(&[&gateway("a", &format!("  - {{port: {{{port}}}, hosts: [a.test]}}\n"))]);
        assert!(matches!(said.as_slice(), [only] if only.starts_with("error ") && only.ends_with(message)), "{said:?}");
    }
    for (bind, message) in [
        ("10.0.0", "`10.0.0` is no IP address"),
        ("unix:///tmp/a", "a socket of the file system is not supported"),
        ("::ffff:10.0.0.1", "`::ffff:10.0.0.1` is an IPv4 address in the form of IPv6: Envoy cannot listen there"),
    ] {
        let server =
            format!("  - {{port: {{number: 80, name: a, protocol: HTTP}}, bind: '{bind}', hosts: [a.test]}}\n");
        let said = told(&[&gateway("a", &server)]);
        assert!(matches!(said.as_slice(), [only] if only.ends_with(message)), "{said:?}");
    }
    let dotted = gateway("a.b", "  - {port: {number: 80, name: a, protocol: HTTP}, hosts: [a.test]}\n");
    assert_eq!(told(&[&dotted]), ["error a.yaml:3:18: `a.b` is no name of a Gateway"]);
}

#[test]
fn what_istio_refuses_of_tls_is_an_error_at_its_field() {
    let files = "serverCertificate: /a.crt, privateKey: /a.key";
    let table: &[(&str, &[&str])] = &[
        (&format!("mode: SIMPLE, {files}"), &[]),
        ("", &["error 6:70: `mode` is missing, which means `PASSTHROUGH`: that is not supported"]),
        ("mode: PASSTHROUGH", &["error 6:82: the mode `PASSTHROUGH` is not supported"]),
        ("mode: ISTIO_MUTUAL", &["error 6:82: the mode `ISTIO_MUTUAL` is not supported"]),
        (
            "mode: SIMPLE",
            &["error 6:70: `mode: SIMPLE` needs `privateKey`", "error 6:70: `mode: SIMPLE` needs `serverCertificate`"],
        ),
        (
            &format!("mode: MUTUAL, {files}"),
            &["error 6:70: `mode: MUTUAL` needs `caCertificates`: the authorities of clients"],
        ),
        (
            &format!("mode: SIMPLE, {files}, credentialName: a"),
            &["error 6:153: `credentialName` does not go with `serverCertificate`"],
        ),
        (
            &format!("mode: SIMPLE, {files}, caCrl: /a.crl"),
            &["error 6:144: `caCrl` does not go with `mode: SIMPLE`: clients show no certificate"],
        ),
        (
            &format!("mode: SIMPLE, {files}, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2"),
            &["error 6:186: no version is left: the oldest is above the newest"],
        ),
        (
            &format!("mode: SIMPLE, {files}, minProtocolVersion: TLSV1_0"),
            &["warning 6:157: versions before 1.2 need `cipherSuites`: none of the default ones goes with them"],
        ),
        (
            &format!("mode: SIMPLE, {files}, cipherSuites: [AES128-SHA256]"),
            &["warning 6:152: `AES128-SHA256` is no cipher that Istio knows: it is left out"],
        ),
    ];
    for (tls, expected) in table {
        let mut said: Vec<_> = told(&[&https(tls)]).iter().map(|said| said.replace("a.yaml:", "")).collect();
        said.sort();
        assert_eq!(said, *expected, "{tls}");
    }
}

#[test]
fn servers_that_istio_leaves_out_are_errors() {
    let tls = "tls: {mode: SIMPLE, serverCertificate: /a.crt, privateKey: /a.key}";
    let plain = gateway("a", "  - {port: {number: 443, name: p, protocol: HTTP}, hosts: [a.test]}\n");
    let secure = |name: &str, hosts: &str| {
        gateway(name, &format!("  - {{port: {{number: 443, name: s, protocol: HTTPS}}, hosts: [{hosts}], {tls}}}\n"))
    };
    let mixed = "error b.yaml:6:45: port 443 speaks plain HTTP in one server and HTTPS in another one";
    assert_eq!(told(&[&plain, &secure("b", "b.test")]), [mixed]);
    let taken = "error b.yaml:6:53: `a.test` is served on port 443 by another HTTPS server: Istio leaves this one out";
    assert_eq!(told(&[&secure("a", "a.test"), &secure("b", "b.test, ns/a.test")]), [taken]);
    assert_eq!(told(&[&secure("a", "a.test"), &secure("b", "'*.test'")]), [""; 0]);
    let bound = secure("b", "a.test").replace("hosts:", "bind: 127.0.0.2, hosts:");
    assert_eq!(told(&[&plain, &bound]), [""; 0], "an address of its own");
}

#[test]
fn with_labels_a_gateway_serves_the_proxies_that_it_selects() {
    let select = |text: String, selector: &str| text.replace("spec:\n", &format!("spec:\n  selector: {selector}\n"));
    let server = |port: u16| format!("  - {{port: {{number: {port}, name: a, protocol: HTTP}}, hosts: [a.test]}}\n");
    let text = [
        select(gateway("a", &server(80)), "{istio: ingress}"),
        select(gateway("b", &server(80)), "{istio: egress}"),
        gateway("c", &server(81)),
    ]
    .join("---");
    let gateways = |labels: &[(&str, &str)]| {
        let input = Input { name: "a.yaml".into(), bytes: text.clone().into_bytes() };
        let manifests = read_sources(vec![input], None).expect("right");
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let model = Model::new(&manifests, &Options { labels, ..Options::default() });
        let model = model.map_err(|said| human(&said, false))?;
        Ok(model.served().iter().map(|served| served.proxy.gateways.join(",")).collect::<Vec<_>>())
    };
    assert_eq!(
        gateways(&[("istio", "ingress"), ("app", "x")]),
        Ok(vec!["default/a".to_owned(), "default/c".to_owned()])
    );
    assert_eq!(gateways(&[("app", "x")]), Ok(vec!["default/c".to_owned()]));
    let said: Result<Vec<String>, String> = gateways(&[]);
    assert!(said.expect_err("one listener for two proxies").contains("select other proxies"));
}
