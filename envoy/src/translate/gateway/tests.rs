use super::super::tests::told;

#[test]
fn hosts_and_port_names_of_servers_are_checked() {
    let gateway = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a}
spec:
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [ns/a.example.com, a/b/c]}
  - {port: {number: 81, name: http, protocol: HTTP}, hosts: ['a.*.com']}
";
    assert_eq!(
        told(&[gateway]),
        [
            "error a.yaml:6:80: `a/b/c` is no host: write `namespace/host` or the host alone",
            "error a.yaml:7:31: the port `http` is listed twice: give each a name of its own",
            "error a.yaml:7:62: `a.*.com` is no host: a `*` can only be the whole first label",
        ]
    );
}
