//! What a request costs: CPU time of one Envoy, with nothing, with the usual Lua script, with the filter.
//!
//! The three listeners stand in one Envoy and answer by themselves; rounds of load take turns, the median of the rounds
//! counts, and only ratios are worth keeping: an absolute time means nothing on a shared machine.
//!
//! `make cost`; `cost --requests N --rounds N` changes the load.

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    native::main()
}

#[cfg(target_family = "wasm")]
fn main() {}

#[cfg(not(target_family = "wasm"))]
mod native {
    use serde_json::{Value, json};
    use std::fs;
    use std::net::SocketAddr;
    use std::process::ExitCode;
    use switchyard_tests::harness::{Client, Envoy, Request, released_wasm};

    /// The connections that a round's requests go over.
    const CONNECTIONS: u64 = 16;

    /// One way to handle a request: the listener's name and how the table calls it.
    const WAYS: [(&str, &str); 3] = [
        ("nothing", "no filter"),
        ("lua", "Lua script that tags 30/70 at random, routes on its header"),
        ("switchyard", "Switchyard: strips, tags 30/70 by cookie, chooses 90/10, asks for retries"),
    ];

    pub fn main() -> ExitCode {
        let mut arguments = std::env::args().skip(1);
        let (mut requests, mut rounds) = (60_000_u64, 5_usize);
        while let Some(argument) = arguments.next() {
            let value = arguments.next().and_then(|value| value.parse::<u32>().ok()).filter(|value| *value > 0);
            match (argument.as_str(), value) {
                ("--requests", Some(value)) => requests = value.into(),
                ("--rounds", Some(value)) => rounds = value as usize,
                _ => {
                    eprintln!("usage: cost [--requests N] [--rounds N]\n\nN is a number above 0.");
                    return ExitCode::from(2);
                }
            }
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let measured = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
            runtime.block_on(async {
                tokio::select! {
                    measured = measure(requests, rounds) => measured,
                    _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
                }
            })
        });
        match measured {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("cost: {error}");
                ExitCode::FAILURE
            }
        }
    }

    async fn measure(requests: u64, rounds: usize) -> Result<(), String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let config = folder.path().join("envoy.yaml");
        fs::write(&config, bootstrap().to_string()).map_err(|error| error.to_string())?;
        let envoy = Envoy::start(&config).await?;
        let mut costs = vec![Vec::new(); WAYS.len()];
        // The first round warms up and does not count.
        for round in 0..=rounds {
            for (way, costs) in WAYS.iter().zip(&mut costs) {
                let address = envoy.listener(way.0).await?;
                let before = cpu_ticks(envoy.id())?;
                load(address, requests).await?;
                if round > 0 {
                    costs.push(cpu_ticks(envoy.id())? - before);
                }
            }
            eprintln!("round {round} of {rounds}");
        }
        let medians: Vec<u64> = costs
            .into_iter()
            .map(|mut costs| {
                costs.sort_unstable();
                costs[costs.len() / 2]
            })
            .collect();
        println!("CPU time of Envoy for a request, {requests} requests a round, median of {rounds} rounds:");
        for ((_, name), cost) in WAYS.iter().zip(&medians) {
            #[expect(clippy::cast_precision_loss, reason = "thousands of ticks")]
            let ratio = *cost as f64 / medians[0].max(1) as f64;
            println!("  {ratio:4.2} x  {name}");
        }
        Ok(())
    }

    /// Sends so many requests over all connections; any answer but 200 is an error, since a dead VM answers fast.
    async fn load(address: SocketAddr, requests: u64) -> Result<(), String> {
        let mut tasks = tokio::task::JoinSet::new();
        for connection in 0..CONNECTIONS {
            tasks.spawn(async move {
                let mut client = Client::new(address);
                for number in 0..requests / CONNECTIONS {
                    let request = Request::new("GET", "catalogdetail", "/catalogDetail?x=1")
                        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")
                        .header("accept", "application/json")
                        .header("accept-language", "en")
                        .header("cookie", format!("theme=dark; uid=user-{}", connection * 1_000_000 + number));
                    let response = client.send(&request).await?;
                    if response.status != 200 {
                        return Err(format!("{address} answers {}", response.status));
                    }
                }
                Ok(())
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.map_err(|error| error.to_string())??;
        }
        Ok(())
    }

    /// The CPU time that a process has used, in the kernel's ticks.
    fn cpu_ticks(id: u32) -> Result<u64, String> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).map_err(|error| error.to_string())?;
        // After the name, which is in parentheses and may hold anything: field 14 is utime, 15 is stime.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let ticks: Vec<u64> =
            after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        Ok(ticks.iter().sum())
    }

    fn bootstrap() -> Value {
        let answer = |header: Option<(&str, Value)>| {
            let headers = header.map(|(name, how)| {
                let mut matcher = json!({"name": name});
                matcher.as_object_mut().expect("an object").extend(how.as_object().expect("an object").clone());
                matcher
            });
            json!({"match": {"prefix": "/", "headers": headers.into_iter().collect::<Vec<_>>()},
                   "direct_response": {"status": 200}})
        };
        let cluster = json!({"name": "nobody", "type": "STATIC", "load_assignment": {"cluster_name": "nobody"}});
        let present = json!({"present_match": true});
        let internal = json!({"string_match": {"exact": "internal"}});
        let listeners = [
            listener("nothing", &[], &[answer(None)], None),
            listener("lua", &[lua()], &[answer(Some(("user-type", internal))), answer(None)], None),
            listener("switchyard", &[wasm()], &[answer(Some(("x-switchyard-cluster", present)))], Some(strip())),
        ];
        json!({
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "static_resources": {"listeners": listeners, "clusters": [cluster]},
        })
    }

    fn listener(name: &str, filters: &[Value], routes: &[Value], early: Option<Value>) -> Value {
        let last = json!({"name": "envoy.filters.http.router", "typed_config":
            {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}});
        let filters: Vec<Value> = filters.iter().cloned().chain([last]).collect();
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "early_header_mutation_extensions": early.into_iter().collect::<Vec<_>>(),
            "http_filters": filters,
            "route_config": {"name": name, "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        });
        json!({
            "name": name,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
        })
    }

    fn lua() -> Value {
        let script = "function envoy_on_request(handle)\n  \
            local value = math.random(100) <= 30 and 'internal' or 'external'\n  \
            handle:headers():add('user-type', value)\nend\n";
        json!({"name": "lua", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": script}}})
    }

    fn strip() -> Value {
        let control = json!({"safe_regex": {"regex": "(x[-_]switchyard|x[-_]envoy[-_]fault)[-_].*|user[-_]type"}});
        json!({"name": "strip", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [{"remove_on_match": {"key_matcher": control}}]}})
    }

    fn wasm() -> Value {
        let cookie = json!({"httpCookie": {"name": "uid", "ttl": "720h"}});
        let policy = json!({
            "namespace": "workshop", "seed": "rollout-7", "controlHeaders": "stripped", "onUnmatched": "notFound",
            "tags": [{"header": "user-type", "stickyBy": cookie,
                "split": [{"value": "internal", "weight": 30}, {"value": "external", "weight": 70}]}],
            "virtualServices": [{"name": "catalogdetail", "hosts": ["catalogdetail"], "http": [
                {"name": "v1", "match": [{"uri": {"exact": "/v1/catalogDetail"}}], "rewrite": {"uri": "/catalogDetail"},
                 "route": [{"destination": {"host": "catalogdetail", "subset": "v1"}}]},
                {"name": "internal", "match": [{"headers": {"user-type": {"exact": "internal"}}}],
                 "route": [{"destination": {"host": "catalogdetail", "subset": "v2"}}]},
                {"name": "rest", "stickyBy": cookie, "route": [
                    {"destination": {"host": "catalogdetail", "subset": "v1"}, "weight": 90},
                    {"destination": {"host": "catalogdetail", "subset": "v2"}, "weight": 10}]},
            ]}],
        });
        json!({"name": "switchyard", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "switchyard",
            "failure_policy": "FAIL_RELOAD",
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": released_wasm()}}},
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": policy.to_string()},
        }}})
    }
}
