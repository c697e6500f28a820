//! Random traffic policies.

use super::set::World;
use crate::rng::Rng;
use serde_json::{Map, Value, json};

/// What a policy is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// A host.
    Host,
    /// A subset.
    Subset,
    /// A port.
    Port,
}

/// A policy with something in it.
pub fn policy(rng: &mut Rng, world: &World<'_>, of: Block) -> Value {
    let mut all = Map::new();
    let often = if of == Block::Host { 45 } else { 30 };
    if rng.chance(often) {
        all.insert("connectionPool".into(), connection_pool(rng));
    }
    if rng.chance(often) {
        all.insert("outlierDetection".into(), outlier_detection(rng));
    }
    if rng.chance(often) {
        all.insert("loadBalancer".into(), load_balancer(rng));
    }
    if rng.chance(25) {
        all.insert("tls".into(), tls(rng, world));
    }
    if of != Block::Port {
        if rng.chance(10) {
            all.insert(
                "proxyProtocol".into(),
                rng.pick(&[json!({}), json!({"version": "V1"}), json!({"version": "V2"})]),
            );
        }
        if rng.chance(15) {
            let budget = Fields::new(rng, 60)
                .one("percent", &[json!(10), json!(25.5), json!(100)])
                .one("minRetryConcurrency", &[json!(0), json!(7)]);
            all.insert("retryBudget".into(), budget.into());
        }
        if rng.chance(25) {
            let one = |rng: &mut Rng| {
                let mut one = policy(rng, world, Block::Port);
                one["port"] = json!({"number": rng.pick(&[80, 8080, 9000])});
                one
            };
            let count = rng.below(3) + 1;
            all.insert("portLevelSettings".into(), (0..count).map(|_| one(rng)).collect());
        }
    }
    if all.is_empty() {
        all.insert("loadBalancer".into(), load_balancer(rng));
    }
    Value::Object(all)
}

/// Fields, each there with a chance.
struct Fields<'a> {
    rng: &'a mut Rng,
    percent: usize,
    all: Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn new(rng: &'a mut Rng, percent: usize) -> Self {
        Self { rng, percent, all: Map::new() }
    }

    fn one(mut self, name: &str, among: &[Value]) -> Self {
        if self.rng.chance(self.percent) {
            self.all.insert(name.to_owned(), self.rng.pick(among));
        }
        self
    }
}

impl From<Fields<'_>> for Value {
    fn from(fields: Fields<'_>) -> Self {
        Self::Object(fields.all)
    }
}

fn texts(all: &[&str]) -> Vec<Value> {
    all.iter().map(|text| json!(text)).collect()
}

fn connection_pool(rng: &mut Rng) -> Value {
    let counts = [json!(0), json!(1), json!(100), json!(2_147_483_647)];
    let times = texts(&["1ms", "0.5s", "1m30s", "2h", "1.5s"]);
    let keepalive = Fields::new(rng, 50)
        .one("probes", &[json!(0), json!(3)])
        .one("time", &texts(&["1s", "1.9s", "2h", "1ms"]))
        .one("interval", &texts(&["75s", "10.5s"]));
    let keepalive = Value::from(keepalive);
    let tcp = Fields::new(rng, 40)
        .one("maxConnections", &counts)
        .one("connectTimeout", &times)
        .one("tcpKeepalive", &[keepalive])
        .one("maxConnectionDuration", &times)
        .one("idleTimeout", &texts(&["0s", "5s", "1h"]));
    let tcp = Value::from(tcp);
    let http = Fields::new(rng, 30)
        .one("http1MaxPendingRequests", &counts)
        .one("http2MaxRequests", &counts)
        .one("maxRequestsPerConnection", &counts)
        .one("maxRetries", &counts)
        .one("idleTimeout", &times)
        .one("maxConcurrentStreams", &counts)
        .one("h2UpgradePolicy", &texts(&["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE", "UPGRADE"]));
    let mut http = Value::from(http);
    if http["h2UpgradePolicy"] != "UPGRADE" && rng.chance(20) {
        http["useClientProtocol"] = json!(rng.chance(80));
    }
    match rng.below(3) {
        0 => json!({"tcp": tcp}),
        1 => json!({"http": http}),
        _ => json!({"tcp": tcp, "http": http}),
    }
}

fn outlier_detection(rng: &mut Rng) -> Value {
    let counts = [json!(0), json!(1), json!(7)];
    let percents = [json!(0), json!(10), json!(50), json!(100)];
    let fields = Fields::new(rng, 40)
        .one("consecutive5xxErrors", &counts)
        .one("consecutiveGatewayErrors", &counts)
        .one("interval", &texts(&["1s", "0.25s", "5m"]))
        .one("baseEjectionTime", &texts(&["1ms", "30s", "3m"]))
        .one("maxEjectionPercent", &percents)
        .one("minHealthPercent", &percents);
    let mut all = Value::from(fields);
    if rng.chance(30) {
        all["splitExternalLocalOriginErrors"] = json!(rng.chance(80));
        if all["splitExternalLocalOriginErrors"] == true && rng.chance(60) {
            all["consecutiveLocalOriginFailures"] = rng.pick(&counts);
        }
    }
    if rng.chance(10) {
        all["consecutiveErrors"] = rng.pick(&counts);
    }
    all
}

fn load_balancer(rng: &mut Rng) -> Value {
    let mut all = if rng.chance(35) {
        json!({"consistentHash": consistent_hash(rng)})
    } else {
        let simple = [
            "UNSPECIFIED",
            "LEAST_CONN",
            "RANDOM",
            "RANDOM",
            "ROUND_ROBIN",
            "ROUND_ROBIN",
            "LEAST_REQUEST",
            "PASSTHROUGH",
            "",
        ];
        match rng.pick(&simple) {
            "" => json!({}),
            simple => json!({"simple": simple}),
        }
    };
    if rng.chance(45) {
        all["localityLbSetting"] = locality(rng);
    }
    if rng.chance(20) {
        let mut warmup = Value::from(
            Fields::new(rng, 50)
                .one("minimumPercent", &[json!(0), json!(10), json!(33.3), json!(100)])
                .one("aggression", &[json!(1), json!(1.5), json!(4)]),
        );
        warmup["duration"] = rng.pick(&["10s", "1ms", "5m"]).into();
        all["warmup"] = warmup;
    }
    if rng.chance(8) {
        all["warmupDurationSecs"] = rng.pick(&["10s", "2m"]).into();
    }
    all
}

fn consistent_hash(rng: &mut Rng) -> Value {
    let mut all = rng.pick(&[
        json!({"httpHeaderName": "x-user"}),
        json!({"httpCookie": {"name": "uid"}}),
        json!({"httpCookie": {"name": "uid", "path": "/", "ttl": "3600s"}}),
        json!({"useSourceIp": true}),
        json!({"httpQueryParameterName": "user"}),
    ]);
    match rng.below(8) {
        0 => all["ringHash"] = json!({"minimumRingSize": rng.pick(&[1, 1024, 8_388_608])}),
        1 => all["ringHash"] = json!({}),
        2 | 3 => all["maglev"] = json!({"tableSize": rng.pick(&[2, 101, 65_537, 4_999_999])}),
        4 => all["minimumRingSize"] = json!(rng.pick(&[0, 7, 2048])),
        _ => {}
    }
    all
}

/// A `localityLbSetting`.
pub fn locality(rng: &mut Rng) -> Value {
    let mut all = match rng.below(8) {
        0 => json!({}),
        1 => json!({"distribute": [{"from": "eu/a/*", "to": {"eu/a/*": 70, "eu/b/*": 20, "us/*": 10}}]}),
        2 => json!({"distribute": [
            {"from": "eu/a/1", "to": {"eu/a/1": 1, "us/c/1": 99}}, {"from": "eu/b/*", "to": {"eu/*": 100}}]}),
        3 => json!({"distribute": [{"from": "*", "to": {"eu/a/1": 33, "eu/a/2": 33, "us": 34}}]}),
        4 => json!({"failover": [{"from": "eu", "to": "us"}]}),
        5 => json!({"failover": [{"from": "us", "to": "eu"}, {"from": "eu", "to": "asia"}]}),
        6 => {
            let labels = rng.pick(&[
                vec!["topology.kubernetes.io/region", "topology.kubernetes.io/zone"],
                vec!["version"],
                vec!["tier", "topology.istio.io/subzone"],
                vec!["version=v1", "tier=b"],
                vec!["topology.istio.io/network"],
                vec!["absent", "topology.kubernetes.io/region=eu"],
            ]);
            json!({"failoverPriority": labels})
        }
        _ => json!({"failoverPriority": ["version=v2", "tier"], "failover": [{"from": "eu", "to": "us"}]}),
    };
    if rng.chance(20) {
        all["enabled"] = json!(rng.chance(50));
    }
    all
}

fn tls(rng: &mut Rng, world: &World<'_>) -> Value {
    let file = |name: &str| json!(world.certs.join(name).display().to_string());
    let names = json!(["shop.example", "spiffe://mesh/ns/shop"]);
    let sni = |rng: &mut Rng, all: &mut Value| {
        if rng.chance(40) {
            all["sni"] = "front.example".into();
        }
    };
    let mut all = match rng.below(10) {
        0 => return rng.pick(&[json!({}), json!({"mode": "DISABLE"})]),
        1 | 2 => json!({"mode": "ISTIO_MUTUAL"}),
        3 => json!({"mode": "SIMPLE", "insecureSkipVerify": true}),
        4 => {
            json!({"mode": "MUTUAL", "insecureSkipVerify": true, "clientCertificate": file("tls.crt"), "privateKey": file("tls.key")})
        }
        5 | 6 => {
            json!({"mode": "MUTUAL", "clientCertificate": file("tls.crt"), "privateKey": file("tls.key"), "caCertificates": file("ca.crt")})
        }
        7 if world.proxy.is_gateway => {
            json!({"mode": rng.pick(&["SIMPLE", "MUTUAL"]), "credentialName": "shop-client"})
        }
        8 => json!({"mode": "SIMPLE", "caCertificates": file("ca.crt"), "insecureSkipVerify": false}),
        _ => json!({"mode": "SIMPLE"}),
    };
    sni(rng, &mut all);
    if all["insecureSkipVerify"] != true && rng.chance(40) {
        all["subjectAltNames"] = names;
    }
    all
}
