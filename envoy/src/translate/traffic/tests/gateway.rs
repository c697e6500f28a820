//! Gateways (istio.md 3).

use super::{check, resource};

/// A Gateway with this server, from line 6, column 6 on.
fn server(written: &str) -> String {
    resource("Gateway", &format!("\n  servers:\n  - {{{written}}}"))
}

/// A Gateway with an HTTPS server that has this `tls`, from line 8, column 11 on.
fn tls(written: &str) -> String {
    let server = "\n  - port: {number: 443, name: a, protocol: HTTPS}\n    hosts: ['*']\n    tls:";
    resource("Gateway", &format!("\n  servers:{server} {{{written}}}"))
}

/// istio.md 3; `ValidateGateway`.
#[test]
fn gateways_are_checked_as_istio_checks_them() {
    check(
        |written| resource("Gateway", written),
        r#"
{}
  error a.yaml:4:1: `servers` is missing
{servers: []}
  error a.yaml:4:8: `servers` is empty: a Gateway needs a server; write `servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]`
{servers: [null]}
  error a.yaml:4:18: expected an object, found nothing
{servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']}, {port: {number: 81, name: a, protocol: HTTP}, hosts: ['*']}]}
  error a.yaml:4:105: the port `a` is listed twice: give each a name of its own
{servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']}, {port: {number: 80, name: b, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: a}}]}
  error a.yaml:4:118: port 80 speaks plain HTTP in one server and HTTPS in another one; give each a port of its own, or an address of its own: `bind`
{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.example], tls: {mode: SIMPLE, credentialName: a}}, {port: {number: 443, name: b, protocol: HTTPS}, hosts: [b.example, a.example], tls: {mode: SIMPLE, credentialName: a}}]}
  error a.yaml:4:175: `a.example` is served on port 443 by another HTTPS server: Istio leaves this one out; a host has one certificate on a port: join the servers
{servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: a}}, {port: {number: 443, name: b, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: b}}]}
  error a.yaml:4:169: `*` is served on port 443 by another HTTPS server: Istio leaves this one out; a host has one certificate on a port: join the servers
{selector: {app: 1}, servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']}]}
  error a.yaml:4:24: expected a string, found the number `1`; quote it: `"1"`
"#,
    );
}

/// istio.md 3; `validateServer`, `validateServerPort`, `validateServerBind`, `ValidateNamespaceSlashWildcardHostname`.
#[test]
fn servers_are_checked_as_istio_checks_them() {
    check(
        server,
        r"
hosts: ['*']
  error a.yaml:6:6: `port` is missing
port: {name: a, protocol: HTTP}, hosts: ['*']
  error a.yaml:6:6: `number` is missing
port: {number: 80, protocol: HTTP}, hosts: ['*']
  error a.yaml:6:6: `name` is missing
port: {number: 80, name: a}, hosts: ['*']
  error a.yaml:6:6: `protocol` is missing
port: {number: 0, name: a, protocol: HTTP}, hosts: ['*']
  error a.yaml:6:21: `0` is out of range: 1 to 65535
port: {number: 65536, name: a, protocol: HTTP}, hosts: ['*']
  error a.yaml:6:21: `65536` is out of range: 0 to 65535
port: {number: 80, name: '', protocol: HTTP}, hosts: ['*']
  error a.yaml:6:31: `name` is empty: give the port a name; write `name: http`
port: {number: 80, name: a, protocol: ''}, hosts: ['*']
  error a.yaml:6:44: `` is no protocol; write `HTTP`, `HTTP2`, `GRPC` or `HTTPS`
port: {number: 80, name: a, protocol: HTPS}, hosts: ['*']
  error a.yaml:6:44: `HTPS` is no protocol; did you mean `HTTPS`?
port: {number: 80, name: a, protocol: TCP}, hosts: ['*']
  error a.yaml:6:44: the protocol `TCP` is not supported: an HTTP filter decides requests only; write `HTTP`, `HTTP2`, `GRPC` or `HTTPS`; else leave the server out
port: {number: 80, name: a, protocol: UDP}, hosts: ['*']
  error a.yaml:6:44: the protocol `UDP` is not supported: an HTTP filter decides requests only; write `HTTP`, `HTTP2`, `GRPC` or `HTTPS`; else leave the server out
port: {number: 80, name: a, protocol: TLS}, hosts: ['*']
  error a.yaml:6:44: the protocol `TLS` is not supported: an HTTP filter decides requests only; write `HTTPS` with `tls.mode: SIMPLE` where TLS ends here; else leave the server out
port: {number: 80, name: a, protocol: GRPC-Web}, hosts: ['*']
  error a.yaml:6:44: the protocol `GRPC-Web` is not supported: an HTTP filter decides requests only; write `HTTP`, and let something behind this Envoy translate gRPC-Web
port: {number: 80, name: a, protocol: HTTP, targetPort: 8080}, hosts: ['*']
  error a.yaml:6:62: `targetPort` has no impact on a Gateway; leave it out: the listener's port is `number`
port: {number: 80, name: a, protocol: HTTP}
  error a.yaml:6:6: `hosts` is missing
port: {number: 80, name: a, protocol: HTTP}, hosts: []
  error a.yaml:6:51: `hosts` is empty: name a host, or `*`
port: {number: 80, name: a, protocol: HTTP}, hosts: ['']
  error a.yaml:6:59: `` is no host: write a name, `*.suffix` or `*`
port: {number: 80, name: a, protocol: HTTP}, hosts: [shop]
  error a.yaml:6:59: `shop` is no host: a short name means nothing here: write it with its domain
port: {number: 80, name: a, protocol: HTTP}, hosts: [a_b.example]
  error a.yaml:6:59: `a_b.example` is no host: write a name, `*.suffix` or `*`
port: {number: 80, name: a, protocol: HTTP}, hosts: [a.10]
  error a.yaml:6:59: `a.10` is no host: write a name, `*.suffix` or `*`
port: {number: 80, name: a, protocol: HTTP}, hosts: [a.example, 'a.*.example']
  error a.yaml:6:70: `a.*.example` is no host: a `*` can only be the whole first label
port: {number: 80, name: a, protocol: HTTP}, hosts: ['*a.example']
  error a.yaml:6:59: `*a.example` is no host: a `*` can only be the whole first label
port: {number: 80, name: a, protocol: HTTP}, hosts: [a/b/c.example]
  error a.yaml:6:59: `a/b/c.example` is no host: write `namespace/host` or the host alone
port: {number: 80, name: a, protocol: HTTP}, hosts: [/a.example]
  error a.yaml:6:59: `/a.example` is no host: before the `/` stands a namespace, `.` or `*`
port: {number: 80, name: a, protocol: HTTP}, hosts: [shop/]
  error a.yaml:6:59: `shop/` is no host: write a name, `*.suffix` or `*`
port: {number: 80, name: a, protocol: HTTP}, hosts: [~/a.example]
  error a.yaml:6:59: `~/a.example` is no host: before the `/` stands a namespace, `.` or `*`
port: {number: 80, name: a, protocol: HTTP}, hosts: ['a.example:80']
  error a.yaml:6:59: `a.example:80` is no host: write a name, `*.suffix` or `*`
port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], bind: 10.0.0
  error a.yaml:6:71: `10.0.0` is no IP address; write `10.0.0.1`, say, or leave it out
port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], bind: 'unix:///tmp/a'
  error a.yaml:6:71: a socket of the file system is not supported; write an IP address, or leave `bind` out
port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], defaultEndpoint: '127.0.0.1:1'
  warning a.yaml:6:82: `defaultEndpoint` has no effect on a Gateway; leave it out: VirtualServices say where requests go
port: {number: 80, name: a, protocol: HTTPS}, hosts: ['*']
  error a.yaml:6:6: a server for `HTTPS` needs `tls`; write `tls: {mode: SIMPLE, credentialName: NAME}`, or `protocol: HTTP`
port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], tls: {mode: SIMPLE}
  error a.yaml:6:65: a server for plain HTTP has no certificates: its `tls` can only be `httpsRedirect`; write `protocol: HTTPS`, or `tls: {httpsRedirect: true}`
port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], tls: {httpsRedirect: true, serverCertificate: a.pem}
  error a.yaml:6:65: a server for plain HTTP has no certificates: its `tls` can only be `httpsRedirect`; write `protocol: HTTPS`, or `tls: {httpsRedirect: true}`
port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], tls: {privateKey: a.key}
  error a.yaml:6:65: a server for plain HTTP has no certificates: its `tls` can only be `httpsRedirect`; write `protocol: HTTPS`, or `tls: {httpsRedirect: true}`
port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], tls: {caCertificates: ca.pem}
  error a.yaml:6:65: a server for plain HTTP has no certificates: its `tls` can only be `httpsRedirect`; write `protocol: HTTPS`, or `tls: {httpsRedirect: true}`
port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], tsl: {}
  error a.yaml:6:65: unknown field `tsl`, did you mean `tls`?
",
    );
}

/// istio.md 3; `validateTLSOptions`.
#[test]
fn tls_of_a_server_is_checked_as_istio_checks_it() {
    check(
        tls,
        r"
~
  error a.yaml:8:5: `mode` is missing, which means `PASSTHROUGH`: that is not supported; an HTTP filter sees nothing of what passes through: write `SIMPLE` or `MUTUAL`
mode: PASSTHROUGH
  error a.yaml:8:17: the mode `PASSTHROUGH` is not supported; an HTTP filter sees nothing of what passes through: write `SIMPLE` or `MUTUAL`
mode: AUTO_PASSTHROUGH
  error a.yaml:8:17: the mode `AUTO_PASSTHROUGH` is not supported; it belongs to a gateway between meshes
mode: ISTIO_MUTUAL
  error a.yaml:8:17: the mode `ISTIO_MUTUAL` is not supported; a bare Envoy has no istio-agent: write `MUTUAL` with a `credentialName` below `--certs DIR`
mode: NONE
  error a.yaml:8:17: expected one of `PASSTHROUGH`, `SIMPLE`, `MUTUAL`, `AUTO_PASSTHROUGH`, `ISTIO_MUTUAL`, `OPTIONAL_MUTUAL`, found the string `NONE`
mode: SIMPLE
  error a.yaml:8:5: `mode: SIMPLE` needs `privateKey`; name the file, or a `credentialName`, below `--certs DIR`
  error a.yaml:8:5: `mode: SIMPLE` needs `serverCertificate`; name the file, or a `credentialName`, below `--certs DIR`
mode: SIMPLE, serverCertificate: a.pem
  error a.yaml:8:5: `mode: SIMPLE` needs `privateKey`; name the file, or a `credentialName`, below `--certs DIR`
mode: SIMPLE, privateKey: a.key
  error a.yaml:8:5: `mode: SIMPLE` needs `serverCertificate`; name the file, or a `credentialName`, below `--certs DIR`
mode: MUTUAL, serverCertificate: a.pem, privateKey: a.key
  error a.yaml:8:5: `mode: MUTUAL` needs `caCertificates`: the authorities of clients; name the file
mode: OPTIONAL_MUTUAL, serverCertificate: a.pem, privateKey: a.key
  error a.yaml:8:5: `mode: OPTIONAL_MUTUAL` needs `caCertificates`: the authorities of clients; name the file
mode: OPTIONAL_MUTUAL
  error a.yaml:8:5: `mode: OPTIONAL_MUTUAL` needs `caCertificates`: the authorities of clients; name the file
  error a.yaml:8:5: `mode: OPTIONAL_MUTUAL` needs `privateKey`; name the file, or a `credentialName`, below `--certs DIR`
  error a.yaml:8:5: `mode: OPTIONAL_MUTUAL` needs `serverCertificate`; name the file, or a `credentialName`, below `--certs DIR`
mode: SIMPLE, serverCertificate: a.pem, privateKey: a.key, credentialName: a
  error a.yaml:8:86: `credentialName` does not go with `serverCertificate`; leave one of them out: a server has its certificates from one place
mode: SIMPLE, serverCertificate: a.pem, privateKey: a.key, credentialNames: [a]
  error a.yaml:8:70: `credentialNames` does not go with `serverCertificate`; leave one of them out: a server has its certificates from one place
mode: SIMPLE, serverCertificate: a.pem, privateKey: a.key, tlsCertificates: [{serverCertificate: b.pem, privateKey: b.key}]
  error a.yaml:8:70: `tlsCertificates` does not go with `serverCertificate`; leave one of them out: a server has its certificates from one place
mode: SIMPLE, credentialName: a, credentialNames: [b]
  error a.yaml:8:44: `credentialNames` does not go with `credentialName`; leave one of them out: a server has its certificates from one place
mode: SIMPLE, credentialNames: ['']
  error a.yaml:8:43: `` is no name of a credential; name a folder of `--certs DIR`
mode: SIMPLE, tlsCertificates: [{privateKey: b.key}]
  error a.yaml:8:44: a certificate needs `serverCertificate`; name the file
mode: SIMPLE, tlsCertificates: [{serverCertificate: b.pem}]
  error a.yaml:8:44: a certificate needs `privateKey`; name the file
mode: SIMPLE, tlsCertificates: [{serverCertificate: b.pem, privateKey: b.key, caCertificates: ca.pem}]
  warning a.yaml:8:105: `caCertificates` has no effect here; write it beside `tlsCertificates`
mode: SIMPLE, tlsCertificates: [{serverCertificate: a.pem, privateKey: a.key}, {serverCertificate: b.pem, privateKey: b.key}, {serverCertificate: c.pem, privateKey: c.key}]
  warning a.yaml:8:138: `tlsCertificates` has 3 certificates: Istio's resource takes 2; leave the others out: one for each kind of key
mode: SIMPLE, credentialNames: [a, b, c]
  warning a.yaml:8:49: `credentialNames` has 3 certificates: Istio's resource takes 2; leave the others out: one for each kind of key
mode: SIMPLE, serverCertificate: a.pem, privateKey: a.key, caCrl: a.crl
  error a.yaml:8:77: `caCrl` does not go with `mode: SIMPLE`: clients show no certificate; leave it out, or write `mode: MUTUAL`
mode: MUTUAL, credentialName: a, caCrl: a.crl
  error a.yaml:8:51: `caCrl` does not go with a credential, which has its own; put it in the credential's folder, as `ca.crl`
mode: SIMPLE, credentialName: a, subjectAltNames: [a]
  warning a.yaml:8:44: `subjectAltNames` has no effect with `mode: SIMPLE`: clients show no certificate; leave it out, or write `mode: MUTUAL`
mode: MUTUAL, credentialName: a, subjectAltNames: [a, '']
  error a.yaml:8:65: no certificate has an empty name; write one, or leave it out
mode: SIMPLE, credentialName: a, verifyCertificateSpki: [a]
  warning a.yaml:8:44: `verifyCertificateSpki` has no effect with `mode: SIMPLE`: clients show no certificate; leave it out, or write `mode: MUTUAL`
mode: SIMPLE, credentialName: a, verifyCertificateHash: [a]
  warning a.yaml:8:44: `verifyCertificateHash` has no effect with `mode: SIMPLE`: clients show no certificate; leave it out, or write `mode: MUTUAL`
mode: MUTUAL, serverCertificate: a.pem, privateKey: a.key, caCertificates: ca.pem, caCertCredentialName: b
  warning a.yaml:8:116: `caCertCredentialName` has no effect without a credential; write `caCertificates`, or `credentialName`
mode: SIMPLE, credentialName: a, httpsRedirect: true
  warning a.yaml:8:59: `httpsRedirect` has no effect on HTTPS; write it on the server for plain HTTP
mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2
  error a.yaml:8:93: no version is left: the oldest is above the newest; the oldest is `TLSV1_2` where none is written
mode: SIMPLE, credentialName: a, maxProtocolVersion: TLSV1_1
  error a.yaml:8:64: no version is left: the oldest is above the newest; the oldest is `TLSV1_2` where none is written
mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_4
  error a.yaml:8:64: expected one of `TLS_AUTO`, `TLSV1_0`, `TLSV1_1`, `TLSV1_2`, `TLSV1_3`, found the string `TLSV1_4`
mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_0
  warning a.yaml:8:64: versions before 1.2 need `cipherSuites`: none of the default ones goes with them; name ciphers, `ECDHE-RSA-AES128-SHA` say
mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_1
  warning a.yaml:8:64: versions before 1.2 need `cipherSuites`: none of the default ones goes with them; name ciphers, `ECDHE-RSA-AES128-SHA` say
mode: SIMPLE, credentialName: a, cipherSuites: [AES128-SHA256]
  warning a.yaml:8:59: `AES128-SHA256` is no cipher that Istio knows: it is left out; did you mean `AES128-SHA`?
mode: SIMPLE, credentialName: a, cipherSuites: [AES128-SHA, AES128-SHA]
  warning a.yaml:8:71: `AES128-SHA` is there twice; leave one of them out
",
    );
}

#[test]
fn what_istio_takes_of_a_server_is_taken() {
    check(
        server,
        r"
port: {number: 80, name: a, protocol: http}, hosts: ['*', ./a.example, shop/*, '*/*.example', 10.0.0.1, A.example.]
port: {number: 80, name: a, protocol: GRPC}, hosts: [a.example], bind: '::1', tls: {httpsRedirect: true}
port: {number: 80, name: a, protocol: HTTP2}, hosts: [a.example], bind: 10.0.0.1, tls: {mode: PASSTHROUGH}
port: {number: 443, name: a, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: a, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_3}
port: {number: 443, name: a, protocol: HTTPS}, hosts: ['*'], tls: {mode: MUTUAL, credentialNames: [a, b], caCertCredentialName: c}
port: {number: 443, name: a, protocol: HTTPS}, hosts: ['*'], tls: {mode: OPTIONAL_MUTUAL, serverCertificate: a.pem, privateKey: a.key, caCertificates: ca.pem, caCrl: a.crl, subjectAltNames: [a]}
port: {number: 443, name: a, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: a, cipherSuites: [ALL, -AES128-SHA, AES256-SHA], minProtocolVersion: TLSV1_0}
",
    );
}
