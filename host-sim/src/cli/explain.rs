//! `switchyard explain`: what becomes of one request, and why.

use super::failure::Failure;
use super::manifests::ManifestArgs;
use super::{Format, print, print_json};
use crate::explain::request::Asked;
use crate::explain::{explain, human};
use std::net::IpAddr;
use switchyard_envoy::diagnostic::Diagnostic;
use switchyard_envoy::translate::{Listener, Model};
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

    /// The gateway that takes it, at the URL's port where it has several [default: the mesh, unless only a gateway serves the host]
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
        let format = self.format;
        self.result().map_err(|failure| failure.in_format(format))
    }

    fn result(self) -> Result<(), Failure> {
        let asked = Asked::parse(&self.request, &self.header, self.source_address).map_err(Failure::Usage)?;
        let manifests = self.manifests.read()?;
        let model = self.manifests.model(&manifests, &self.manifests.options()?)?;
        let proxy = self.proxy(&model, &asked, &manifests.namespace)?;
        let listener = listener(&model, &proxy, &asked).map_err(Failure::Invalid)?;
        let explanation = explain(&listener, &asked);
        match self.format {
            Format::Human => print(&human::human(&asked, &explanation)),
            Format::Json => print_json(&explanation),
        }
    }

    /// The listener that takes the request: one that `generate` writes. The URL's port says which of a gateway's ports is
    /// asked; in the mesh it is part of `:authority` and nothing else.
    fn proxy(&self, model: &Model<'_>, asked: &Asked, namespace: &str) -> Result<Proxy, Failure> {
        let all = model.listeners();
        let (mesh, edges): (Vec<_>, Vec<_>) = all.into_iter().partition(is_mesh);
        let names = names(&edges);
        let full = match (self.gateway.as_deref(), mesh.into_iter().next(), edges.as_slice()) {
            (Some("mesh"), ..) => return Ok(model.mesh()),
            (Some(gateway), ..) if gateway.contains('/') => gateway.to_owned(),
            (Some(gateway), ..) => format!("{namespace}/{gateway}"),
            (None, Some(mesh), []) => return Ok(mesh),
            (None, Some(mesh), edges) => {
                let serves = |proxy: &&Proxy| {
                    let listener = model.listener(*proxy);
                    listener.is_ok_and(|listener| listener.policy.hosts().find(asked.authority()).is_some())
                };
                let edge = || edges.iter().find(serves).cloned();
                return Ok(if serves(&&mesh) { mesh } else { edge().unwrap_or(mesh) });
            }
            (None, None, [only]) => return Ok(only.clone()),
            (None, None, _) => match names.as_slice() {
                [only] => only.clone(),
                several => {
                    return Err(Failure::Usage(format!(
                        "these manifests serve gateways only: name one with `--gateway NS/NAME`: {}",
                        quoted(several)
                    )));
                }
            },
        };
        let of: Vec<_> = edges.iter().filter(|proxy| proxy.gateways.contains(&full)).collect();
        let scheme_port = if self.request.contains(" https://") { 443 } else { 80 };
        let wanted = asked.port.unwrap_or(scheme_port);
        match of.as_slice() {
            [] if edges.is_empty() => Err(Failure::Usage("there is no gateway in these manifests".to_owned())),
            [] => Err(Failure::Usage(format!("there is no gateway `{full}`; there are: {}", quoted(&names)))),
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

/// The listener of a proxy; of several HTTPS servers that are alike, the one that serves the host.
fn listener<'a>(model: &'a Model<'_>, proxy: &Proxy, asked: &Asked) -> Result<Listener<'a>, Vec<Diagnostic>> {
    let alike = model.served().into_iter().filter(|served| served.proxy == *proxy).skip(1);
    let first = model.listener(proxy)?;
    let serves = |listener: &Listener<'_>| listener.policy.hosts().find(asked.authority()).is_some();
    if serves(&first) {
        return Ok(first);
    }
    let mut others = alike.filter_map(|served| model.listener(&served).ok());
    Ok(others.find(serves).unwrap_or(first))
}

fn is_mesh(proxy: &Proxy) -> bool {
    proxy.gateways.iter().any(|gateway| gateway == "mesh")
}

/// The gateways' names, in order.
fn names(edges: &[Proxy]) -> Vec<String> {
    let mut all: Vec<_> = edges.iter().flat_map(|proxy| proxy.gateways.iter().cloned()).collect();
    all.sort();
    all.dedup();
    all
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
