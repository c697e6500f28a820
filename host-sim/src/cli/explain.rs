//! `switchyard explain`: what becomes of one request, and why.

use super::failure::Failure;
use super::manifests::ManifestArgs;
use super::{Format, print, print_json};
use crate::explain::request::Asked;
use crate::explain::{explain, human};
use std::net::IpAddr;
use switchyard_envoy::translate::Model;
use switchyard_filter::document::Proxy;

const EXAMPLES: &str = "Examples:
  switchyard explain manifests/ --request 'GET http://catalogdetail/v1/catalogDetail'
  switchyard explain manifests/ --request 'GET http://shop/' --header 'cookie: uid=al' --gateway edge/web
  switchyard explain manifests/ --request 'GET http://shop/' --header 'x-request-id: …' --format json

Without an x-request-id (or the cookie, header or address that a choice is sticky by) the candidates are listed with
their shares. The path is normalised as the generated Envoy does.";

/// Explain one request: its tags, its rule, why each earlier rule fails, and what is done
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,

    /// The request.
    #[arg(long, value_name = "REQUEST", help = "The request: 'GET http://HOST[:PORT]/PATH?QUERY'")]
    request: String,

    /// A header of it; may be given several times
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,

    /// The gateway that takes it [default: the mesh, else the only gateway]
    #[arg(long, value_name = "NS/NAME")]
    gateway: Option<String>,

    /// The trusted address that it comes from
    #[arg(long, value_name = "IP")]
    source_address: Option<IpAddr>,

    /// How the explanation is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    /// Runs it.
    pub fn run(self) -> Result<(), Failure> {
        let asked = Asked::parse(&self.request, &self.header, self.source_address).map_err(Failure::Usage)?;
        let manifests = self.manifests.read()?;
        let model = self.manifests.model(&manifests, &self.manifests.options())?;
        let proxy = self.proxy(&model, &asked, &manifests.namespace)?;
        let listener = model.listener(&proxy).map_err(Failure::Invalid)?;
        let explanation = explain(&listener, &asked);
        match self.format {
            Format::Human => print(&human::human(&asked, &explanation)),
            Format::Json => print_json(&explanation),
        }
    }

    /// The listener that takes the request.
    fn proxy(&self, model: &Model<'_>, asked: &Asked, namespace: &str) -> Result<Proxy, Failure> {
        let all = model.listeners();
        let (mesh, edges): (Vec<_>, Vec<_>) = all.into_iter().partition(is_mesh);
        let Some(gateway) = &self.gateway else {
            return match (mesh.into_iter().next(), edges.as_slice()) {
                // A client in the mesh talks to the service's port.
                (Some(mesh), _) => Ok(match asked.port.filter(|port| is_known(model, *port)) {
                    Some(port) => Proxy { port: Some(port), ..mesh },
                    None => mesh,
                }),
                (None, [only]) => Ok(only.clone()),
                (None, _) => Err(Failure::Usage(format!(
                    "these manifests serve gateways only: name one with `--gateway NS/NAME`: {}",
                    names(&edges)
                ))),
            };
        };
        if gateway == "mesh" {
            return Ok(model.mesh());
        }
        let full = if gateway.contains('/') { gateway.clone() } else { format!("{namespace}/{gateway}") };
        let of: Vec<_> = edges.iter().filter(|proxy| proxy.gateways.contains(&full)).collect();
        let scheme_port = if self.request.contains(" https://") { 443 } else { 80 };
        let wanted = asked.port.unwrap_or(scheme_port);
        match of.as_slice() {
            [] if edges.is_empty() => Err(Failure::Usage("there is no gateway in these manifests".to_owned())),
            [] => Err(Failure::Usage(format!("there is no gateway `{full}`; there are: {}", names(&edges)))),
            [only] => Ok((*only).clone()),
            several => {
                several.iter().find(|proxy| proxy.port == Some(wanted)).map(|proxy| (*proxy).clone()).ok_or_else(|| {
                    let ports: Vec<_> = several.iter().filter_map(|proxy| proxy.port).map(|p| p.to_string()).collect();
                    Failure::Usage(format!(
                        "gateway `{full}` has no port {wanted}; name one in the URL: {}",
                        ports.join(", ")
                    ))
                })
            }
        }
    }
}

fn is_mesh(proxy: &Proxy) -> bool {
    proxy.gateways.iter().any(|gateway| gateway == "mesh")
}

fn is_known(model: &Model<'_>, port: u16) -> bool {
    model.services().values().any(|service| service.ports.iter().any(|known| known.number == port))
}

fn names(edges: &[Proxy]) -> String {
    let mut all: Vec<_> = edges.iter().flat_map(|proxy| &proxy.gateways).map(|name| format!("`{name}`")).collect();
    all.sort();
    all.dedup();
    all.join(", ")
}
