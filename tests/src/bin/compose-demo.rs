//! The programs of the docker-compose demo, one for each of its containers (`envoy/demo/docker-compose.yml`).
//!
//! Exit codes: 0 done, 1 something failed or does not hold, 2 usage, 130 interrupted.

#[cfg(target_family = "wasm")]
fn main() {}

#[cfg(not(target_family = "wasm"))]
const USAGE: &str = "\
usage: compose-demo serve NAME@PORT[=STATUS]...   services that answer with what they received
       compose-demo load --to HOST:PORT --rate N  users, N requests a second
       compose-demo policy                        writes what Envoy starts with
       compose-demo apply [SCENARIO.yaml...]      changes the running Envoy's policy; without a name to that of `make demo`
       compose-demo walk                          walks through the scenarios";

#[cfg(not(target_family = "wasm"))]
#[tokio::main]
async fn main() -> std::process::ExitCode {
    use switchyard_tests::compose::{Policy, Service, load, serve, walk};

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = async {
        match words[..] {
            ["serve", ref services @ ..] if !services.is_empty() => {
                let services = services.iter().map(|one| one.parse()).collect::<Result<Vec<Service>, _>>();
                serve(&services.map_err(|error| (2, error))?).await
            }
            ["load", "--to", to, "--rate", rate] => match rate.parse() {
                Ok(rate) => load(to, rate).await,
                Err(_) => return Err((2, format!("`{rate}` is no number of requests"))),
            },
            ["policy"] => Policy::demo(&[]).write_first().await,
            ["apply"] => Policy::demo(&[]).apply().await,
            ["apply", ref scenarios @ ..] => Policy::of(scenarios).apply().await,
            ["walk"] => walk().await,
            _ => return Err((2, format!("not understood\n{USAGE}"))),
        }
        .map_err(|error| (1, error))
    };
    let ended = tokio::select! {
        ended = run => ended,
        _ = tokio::signal::ctrl_c() => Err((130, "interrupted".into())),
    };
    match ended {
        Ok(()) => 0.into(),
        Err((code, error)) => {
            eprintln!("error: {error}");
            code.into()
        }
    }
}
