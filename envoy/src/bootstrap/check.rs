//! Settings that Envoy would stumble over at its start, told before.

use super::Settings;
use super::http::MOST_MIRRORS;
use crate::diagnostic::Diagnostic;
use crate::translate::{Edge, Listener};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};

/// Addresses that two would listen on: the mesh, gateways and the admin interface.
pub fn addresses(listeners: &[Listener<'_>], settings: &Settings) -> Vec<Diagnostic> {
    let mut found = vec![];
    let (listen, admin) = (settings.listen, settings.admin);
    let has_mesh = listeners.iter().any(Listener::is_mesh);
    let mut names = BTreeSet::new();
    let mut firsts: BTreeMap<SocketAddr, &Edge> = BTreeMap::new();
    for edge in listeners.iter().filter_map(|listener| listener.edge).filter(|edge| names.insert(&edge.listener)) {
        let address = edge.bind.unwrap_or(settings.edge);
        let at = SocketAddr::new(address, edge.port);
        if let Some(first) = firsts.insert(at, edge) {
            // Envoy refuses the second listener, and does not start.
            let message = format!("`{at}` is also where the servers of the port without `bind` are served");
            let help = "leave `bind` out, or write it in all servers of the port";
            found.push(
                Diagnostic::error(edge.place.clone(), message).help(help).also(first.place.clone(), "one of them"),
            );
        }
        let mut taken = |by: SocketAddr, what: &str, help: &str| {
            if edge.port == by.port() && meet(address, by.ip()) {
                let message = format!("port {} is that of {what}", edge.port);
                found.push(Diagnostic::error(edge.place.clone(), message).help(help));
            }
        };
        if has_mesh {
            taken(listen, "the mesh", "give the mesh another one: `--listen ADDRESS:PORT`");
        }
        taken(admin, "the admin interface", "give that another one: `--admin ADDRESS:PORT`");
    }
    if has_mesh && meet(listen.ip(), admin.ip()) && listen.port() == admin.port() && admin.port() != 0 {
        let both = |at: SocketAddr, what: &str| format!("`{at}` ({what})");
        let message =
            format!("{} and {} are one address", both(listen, "the mesh"), both(admin, "the admin interface"));
        found.push(without_place(message, "give one of them another port: `--listen`, `--admin`"));
    }
    found
}

/// Files that cannot be what they are for. They may be absent: the Envoy may run elsewhere.
pub fn files(settings: &Settings) -> Vec<Diagnostic> {
    let mut found = vec![];
    let mut start = [0; 4];
    let wasm = File::open(&settings.wasm).and_then(|mut file| file.read(&mut start).map(|_| ()));
    if settings.wasm.is_dir() || (wasm.is_ok() && start != *b"\0asm") {
        let message = format!("`{}` is no WebAssembly module", settings.wasm.display());
        found.push(without_place(message, "name the filter, `switchyard_filter.wasm`"));
    }
    if let Some(record) = settings.record.as_ref().filter(|record| record.is_dir()) {
        let message = format!("a recording cannot be written to `{}`: it is a folder", record.display());
        found.push(without_place(message, "name a file in it"));
    }
    found
}

/// Rules with more mirrors than a route gets policies: the rest would get no copies, and nobody would tell.
pub fn mirrors(listener: &Listener<'_>) -> Vec<Diagnostic> {
    let too_many = listener.policy.rules().iter().filter(|rule| rule.mirrors.len() > MOST_MIRRORS);
    let found = too_many.map(|rule| {
        let (count, name) = (rule.mirrors.len(), format!("{}/{}", rule.virtual_service, rule.name));
        let message = format!("the rule `{name}` has {count} mirrors, and a generated route copies to {MOST_MIRRORS}");
        let (at, rule) = (rule.virtual_service_index, rule.index);
        let help = "leave some of them out";
        let Some((place, field)) = listener.place(&format!("virtualServices[{at}].http[{rule}].mirrors")) else {
            return without_place(message, help);
        };
        Diagnostic { field, ..Diagnostic::error(place, message).help(help) }
    });
    found.collect()
}

/// Whether one address is the other, or stands for all of its family: `::` takes no IPv4 (seen in 1.36.2 and 1.40.0).
fn meet(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4() && (a == b || a.is_unspecified() || b.is_unspecified())
}

fn without_place(message: String, help: &str) -> Diagnostic {
    Diagnostic::unplaced(message).help(help)
}
