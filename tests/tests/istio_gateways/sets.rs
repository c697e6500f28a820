//! What is judged.

use super::Ask;

/// Manifests, and what is asked of them.
pub struct Set {
    pub name: &'static str,
    pub manifests: &'static str,
    /// Ports that both sides must have.
    pub ports: &'static [u16],
    pub asked: &'static [Ask],
}

pub const SETS: &[Set] = &[
    Set {
        name: "hosts with namespaces",
        manifests: "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['./own.test', 'other/*.other.test', '*/all.test', '*.wild.test']}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: demo}
spec:
  hosts: [own.test, x.other.test, all.test, '*.wild.test', one.demo.svc.cluster.local]
  gateways: [edge]
  http: [{match: [{uri: {prefix: /a}}], route: [{destination: {host: one}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b, namespace: other}
spec:
  hosts: [own.test, '*.other.test', all.test, deep.wild.test]
  gateways: [demo/edge]
  http: [{route: [{destination: {host: two.demo.svc.cluster.local}}]}]
",
        ports: &[80],
        asked: &[
            (80, "", "own.test", "/a"),
            (80, "", "own.test", "/b"),
            (80, "", "x.other.test", "/a"),
            (80, "", "y.other.test", "/b"),
            (80, "", "other.test", "/"),
            (80, "", "all.test", "/a"),
            (80, "", "ALL.test:8080", "/b"),
            (80, "", "deep.wild.test", "/a"),
            (80, "", "deep.wild.test", "/b"),
            (80, "", "very.deep.wild.test", "/a"),
            (80, "", "one.demo.svc.cluster.local", "/a"),
        ],
    },
    Set {
        name: "several gateways of a port",
        manifests: "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: b-young, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [both.test, young.test]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a-old, namespace: other}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: grpc, protocol: GRPC}, hosts: [both.test, old.test]}
  - {port: {number: 81, name: http2, protocol: HTTP2}, hosts: ['*']}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: elsewhere, namespace: demo}
spec:
  selector: {istio: egressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [elsewhere.test]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: demo}
spec:
  hosts: [both.test, young.test, elsewhere.test]
  gateways: [b-young, elsewhere]
  http:
  - {match: [{uri: {prefix: /x}}], route: [{destination: {host: one}}]}
  - {match: [{uri: {prefix: /p}, port: 81}], route: [{destination: {host: three}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: z, namespace: demo}
spec:
  hosts: [both.test, old.test, young.test]
  gateways: [other/a-old]
  http:
  - {match: [{uri: {prefix: /p}, port: 81}], route: [{destination: {host: three}}]}
  - {match: [{uri: {prefix: /x}}, {uri: {prefix: /z}}], route: [{destination: {host: two}}]}
",
        ports: &[80, 81],
        asked: &[
            (80, "", "both.test", "/x"),
            (80, "", "both.test", "/z"),
            (80, "", "both.test", "/p"),
            (80, "", "young.test", "/x"),
            (80, "", "young.test", "/z"),
            (80, "", "old.test", "/x"),
            (80, "", "elsewhere.test", "/x"),
            (81, "", "both.test", "/p"),
            (81, "", "young.test", "/x"),
            (81, "", "unknown.test", "/x"),
        ],
    },
    Set {
        name: "sent to https",
        manifests: "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: redirecting, protocol: HTTP}
    hosts: ['*.shop.test', './own.test', './bound.test']
    tls: {httpsRedirect: true}
  - {port: {number: 80, name: plain, protocol: HTTP}, hosts: [open.shop.test, open.test, both.shop.test]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wild, namespace: demo}
spec:
  hosts: ['*.shop.test', open.test, bound.test]
  gateways: [edge]
  http:
  - fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    match: [{uri: {prefix: /abort}}]
    route: [{destination: {host: one}}]
  - {match: [{uri: {prefix: /redirect}}], redirect: {uri: /there}}
  - {route: [{destination: {host: one}}]}
",
        ports: &[80],
        asked: &[
            (80, "", "a.shop.test", "/cart?x=1"),
            (80, "", "a.shop.test:80", "/cart"),
            (80, "", "a.shop.test", "/abort"),
            (80, "", "open.shop.test", "/"),
            (80, "", "both.shop.test", "/redirect"),
            (80, "", "open.test", "/redirect"),
            (80, "", "own.test", "/"),
            (80, "", "bound.test", "/"),
            (80, "", "else.test", "/"),
        ],
    },
    Set {
        name: "an address of its own, and nothing bound",
        manifests: "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 8081, name: bound, protocol: HTTP}, bind: 127.0.0.1, hosts: ['*/*']}
  - {port: {number: 8082, name: empty, protocol: HTTP}, hosts: [a.test]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: demo}
spec:
  hosts: ['*']
  gateways: [edge]
  http: [{match: [{port: 8081}], route: [{destination: {host: one}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: mesh-only, namespace: demo}
spec:
  hosts: [two]
  http: [{route: [{destination: {host: two}}]}]
",
        ports: &[8081, 8082],
        asked: &[
            (8081, "", "a.test", "/"),
            (8081, "", "two.demo.svc.cluster.local", "/"),
            (8082, "", "a.test", "/"),
            (8082, "", "b.test", "/"),
        ],
    },
    Set {
        name: "https by name",
        manifests: "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.test], tls: {mode: SIMPLE, credentialName: shop}}
  - {port: {number: 443, name: b, protocol: HTTPS}, hosts: ['*.b.test', ./b.test], tls: {mode: SIMPLE, credentialName: shop}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: all, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 8443, name: all, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: shop}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: demo}
spec:
  hosts: ['*.test']
  gateways: [edge]
  http: [{match: [{uri: {prefix: /one}}], route: [{destination: {host: one}}]}, {match: [{uri: {prefix: /r}}], redirect: {uri: /there}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b, namespace: demo}
spec:
  hosts: [b.test, a.test]
  gateways: [edge, all]
  http: [{match: [{uri: {prefix: /one}, port: 8443}], route: [{destination: {host: three}}]}, {route: [{destination: {host: two}}]}]
",
        ports: &[443, 8443],
        asked: &[
            (443, "a.test", "a.test", "/one"),
            (443, "a.test", "a.test", "/two"),
            (443, "a.test", "a.test", "/r"),
            (443, "a.test", "b.test", "/one"),
            (443, "b.test", "b.test", "/two"),
            (443, "x.b.test", "x.b.test", "/one"),
            (443, "x.b.test", "x.b.test", "/two"),
            (443, "x.b.test", "a.test", "/one"),
            (443, "c.test", "c.test", "/one"),
            (8443, "c.test", "a.test", "/one"),
            (8443, "a.test", "b.test", "/two"),
            (8443, "a.test", "c.test", "/one"),
        ],
    },
];
