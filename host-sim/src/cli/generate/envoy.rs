//! `--target envoy`: a bootstrap, or snippets for one that exists.

use super::{ManifestArgs, dynamic, write};
use crate::cli::failure::Failure;
use crate::cli::note;
use clap::ValueEnum;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;
use switchyard_envoy::bootstrap::{Settings, generate, parts, to_yaml};
use switchyard_envoy::translate::{Around, Options};
use switchyard_filter::document::AccessLog;

/// What only an Envoy of its own needs to know.
#[derive(Debug, clap::Args)]
// Its group would have the same name as that of `generate`.
#[group(skip)]
pub struct Args {
    /// Where the mesh is served, and the address of gateways whose servers have no `bind` [default: 127.0.0.1:10000 for
    /// the mesh, every address for gateways]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// Where Envoy's admin interface is
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9901")]
    admin: SocketAddr,

    /// Certificates that a mesh has and a bare Envoy reads from files: DIR/CREDENTIAL/tls.crt, tls.key and ca.crt for
    /// `credentialName`, DIR/default/… for `ISTIO_MUTUAL`
    #[arg(long, value_name = "DIR")]
    certs: Option<PathBuf>,

    /// The filter [default: the released build]
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,

    /// Make Envoy write a recording that `switchyard replay` reads
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// Which headers are recorded
    #[arg(long, value_enum, default_value_t, requires = "record")]
    record_headers: RecordHeaders,

    /// How many proxies in front of gateways are trusted to say who the client is [default: what --mesh-config says, or 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=255))]
    trusted_hops: Option<u32>,

    /// Write the filters, the header mutation, the routes and the clusters as snippets instead
    #[arg(long)]
    parts: bool,

    /// Write files that Envoy watches; where one is running that does, change what it does without losing a request:
    /// clusters first, then the policy, and clusters that nobody needs any more at last
    #[arg(long, conflicts_with = "parts")]
    dynamic: bool,

    /// How long a running Envoy may take for a step of a change
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "dynamic",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// Where the mesh is served.
const MESH: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 10_000));

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum RecordHeaders {
    /// Those that the policy reads; of a sticky subject its digest, credentials and whole cookies never
    #[default]
    Policy,
    /// All of them, secrets too
    All,
}

impl Args {
    /// Runs it.
    pub fn run(self, written: &ManifestArgs, out: &Path) -> Result<(), Failure> {
        if let Some(certs) = self.certs.as_ref().filter(|certs| !certs.is_dir()) {
            return Err(Failure::File(format!("cannot open `{}`: no such folder", certs.display())));
        }
        let manifests = written.read()?;
        let access_log = if self.record.is_some() { AccessLog::Draws } else { AccessLog::Decision };
        let around = match (self.parts, self.dynamic) {
            (true, _) => Around::Parts,
            (_, true) => Around::Dynamic,
            _ => Around::Bootstrap,
        };
        let options = Options { access_log, around, certs: self.certs.clone(), ..written.options()? };
        let model = written.model(&manifests, &options)?;
        let settings = Settings {
            listen: self.listen.unwrap_or(MESH),
            // As Istio: a gateway is there for others.
            edge: self.listen.map_or(Ipv4Addr::UNSPECIFIED.into(), |listen| listen.ip()),
            admin: self.admin,
            wasm: self.wasm.clone().map_or_else(released_wasm, Ok)?,
            record: self.record.clone(),
            record_all_headers: self.record_headers == RecordHeaders::All,
            trusted_hops: self.trusted_hops.unwrap_or(options.mesh.trusted_proxies),
        };
        if !settings.wasm.is_file() {
            return Err(Failure::File(format!("cannot open `{}`: no such file", settings.wasm.display())));
        }
        let files = if self.parts {
            let parts = parts(&model, &settings).map_err(Failure::Invalid)?;
            parts.into_iter().map(|(name, value)| (name, to_yaml(&value))).collect()
        } else {
            let generated = generate(&model, &settings).map_err(Failure::Invalid)?;
            for warning in &generated.warnings {
                note(&format!("warning: {warning}"));
            }
            if !self.admin.ip().is_loopback() {
                note(&format!(
                    "warning: the admin interface at `{}` is open to the network: whoever reaches it reads all \
                     configuration and can end Envoy",
                    self.admin
                ));
            }
            if self.dynamic {
                let call = dynamic::Call { out, admin: self.admin, patience: Duration::from_secs(self.timeout) };
                return dynamic::run(generated.bootstrap, &written.manifests, &call);
            }
            vec![("envoy.yaml".to_owned(), to_yaml(&generated.bootstrap))]
        };
        write(out, files)
    }
}

/// The filter beside this command's build: `target/switchyard_filter.wasm`, or in the command's folder.
fn released_wasm() -> Result<PathBuf, Failure> {
    const NAME: &str = "switchyard_filter.wasm";
    let command = std::env::current_exe().ok();
    let beside = command.iter().flat_map(|command| {
        let folder = command.parent().map(|folder| folder.join(NAME));
        // The command is in `target/debug` or `target/release`.
        let target = command.ancestors().skip(2).take(2);
        folder.into_iter().chain(target.map(|target| target.join(NAME)))
    });
    let here = PathBuf::from("target").join(NAME);
    beside.chain([here]).find(|path| path.is_file()).ok_or_else(|| {
        Failure::File("cannot find the filter: build it with `make wasm`, or name it with `--wasm FILE`".to_owned())
    })
}
