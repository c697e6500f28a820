//! `tls` of DestinationRules (istio.md 2.5).

use super::{check, policy};

/// A DestinationRule with this `tls`, from column 25 on.
fn tls(written: &str) -> String {
    policy(&format!("tls: {{{written}}}"))
}

/// istio.md 2.5; `ValidateTLS`.
#[test]
fn tls_of_a_destination_is_checked_as_istio_checks_it() {
    check(
        tls,
        r"
mode: TLS
  error a.yaml:6:31: expected one of `DISABLE`, `SIMPLE`, `MUTUAL`, `ISTIO_MUTUAL`, found the string `TLS`
mode: SIMPLE, insecureSkipVerify: true, caCertificates: ca.pem
  error a.yaml:6:81: `caCertificates` does not go with `insecureSkipVerify: true`, which checks nothing: leave one of them out
mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]
  error a.yaml:6:65: `subjectAltNames` does not go with `insecureSkipVerify: true`, which checks nothing: leave one of them out
mode: SIMPLE, insecureSkipVerify: true, credentialName: a
  error a.yaml:6:81: `credentialName` does not go with `insecureSkipVerify: true`, which checks nothing: leave one of them out
mode: MUTUAL, insecureSkipVerify: true, clientCertificate: a.pem, privateKey: a.key, caCertificates: ca.pem
  error a.yaml:6:126: `caCertificates` does not go with `insecureSkipVerify: true`, which checks nothing: leave one of them out
mode: MUTUAL, insecureSkipVerify: true, clientCertificate: a.pem, privateKey: a.key, subjectAltNames: [a]
  error a.yaml:6:110: `subjectAltNames` does not go with `insecureSkipVerify: true`, which checks nothing: leave one of them out
mode: SIMPLE, insecureSkipVerify: true, caCertificates: ca.pem, subjectAltNames: [a]
  error a.yaml:6:81: `caCertificates` does not go with `insecureSkipVerify: true`, which checks nothing: leave one of them out
  error a.yaml:6:89: `subjectAltNames` does not go with `insecureSkipVerify: true`, which checks nothing: leave one of them out
mode: SIMPLE, credentialName: a, clientCertificate: a.pem
  error a.yaml:6:77: `clientCertificate` does not go with `credentialName`: leave one of them out
mode: SIMPLE, credentialName: a, privateKey: a.key
  error a.yaml:6:70: `privateKey` does not go with `credentialName`: leave one of them out
mode: SIMPLE, credentialName: a, caCertificates: ca.pem
  error a.yaml:6:74: `caCertificates` does not go with `credentialName`: leave one of them out
mode: MUTUAL, credentialName: a, caCrl: a.crl
  error a.yaml:6:65: `caCrl` does not go with `credentialName`: leave one of them out
mode: MUTUAL, clientCertificate: a.pem
  error a.yaml:6:19: `mode: MUTUAL` needs `privateKey`, or a `credentialName`
mode: MUTUAL, privateKey: a.key
  error a.yaml:6:19: `mode: MUTUAL` needs `clientCertificate`, or a `credentialName`
mode: MUTUAL
  error a.yaml:6:19: `mode: MUTUAL` needs `clientCertificate`, or a `credentialName`
  error a.yaml:6:19: `mode: MUTUAL` needs `privateKey`, or a `credentialName`
mode: SIMPLE, insecureSkipVerify: 'true'
  error a.yaml:6:59: expected `true` or `false`, found the string `true`
mode: SIMPLE, subjectAltNames: a
  error a.yaml:6:56: expected a list, found the string `a`
mode: SIMPLE, subjectAltName: [a]
  error a.yaml:6:39: unknown field `subjectAltName`, did you mean `subjectAltNames`?
",
    );
}

/// What Istio passes on and Envoy refuses.
#[test]
fn names_that_envoy_refuses_are_told() {
    let long = "a".repeat(256);
    check(
        tls,
        &format!(
            r"
mode: SIMPLE, sni: {long}
  error a.yaml:6:44: a server's name has at most 255 bytes, this one 256: write the name
mode: ISTIO_MUTUAL, sni: {}
mode: SIMPLE, subjectAltNames: [a, '']
  error a.yaml:6:60: no certificate has an empty name: write one, or leave it out
mode: ISTIO_MUTUAL, subjectAltNames: ['']
  error a.yaml:6:63: no certificate has an empty name: write one, or leave it out
",
            &long[1..]
        ),
    );
}

/// Files of a mode that looks at none of them, say.
#[test]
fn what_istio_takes_of_tls_is_taken() {
    check(
        tls,
        r"
~
mode: DISABLE
mode: ISTIO_MUTUAL, subjectAltNames: [a]
mode: SIMPLE, insecureSkipVerify: false, caCertificates: ca.pem, subjectAltNames: [a], sni: a.example
mode: SIMPLE, insecureSkipVerify: true
mode: MUTUAL, insecureSkipVerify: true, credentialName: a
mode: MUTUAL, clientCertificate: a.pem, privateKey: a.key
",
    );
}

/// Nothing is encrypted, or not by what is written.
#[test]
fn what_a_mode_does_not_use_is_told() {
    check(
        tls,
        r"
sni: a.example
  warning a.yaml:6:30: `sni` has no effect with the mode `DISABLE`, which is meant where none is written; write `mode: SIMPLE` to encrypt
mode: DISABLE, insecureSkipVerify: true, caCertificates: ca.pem, credentialName: a
  warning a.yaml:6:82: `caCertificates` has no effect with the mode `DISABLE`, which is meant where none is written; write `mode: SIMPLE` to encrypt
mode: ISTIO_MUTUAL, sni: a, clientCertificate: a.pem
  warning a.yaml:6:72: `clientCertificate` has no effect with the mode `ISTIO_MUTUAL`, whose certificates are the mesh's; write `mode: MUTUAL`
",
    );
}
