//! `--dynamic`: the files that a running Envoy watches, changed in an order in which no request is lost.
//!
//! Clusters are there before a policy names them, and go after it. Each step waits until the running Envoy says that it
//! has it; what it refuses is put back. Whatever ends the command in between leaves files that are each whole, clusters
//! for the old policy and the new one, and the last accepted version of what was being changed: the next call goes on.

mod admin;
mod change;
mod folder;

use crate::cli::failure::Failure;
use crate::cli::{note, print};
use admin::Admin;
use change::Change;
use folder::Folder;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use switchyard_envoy::bootstrap::dynamic::{BOOTSTRAP, CLUSTERS, Dynamic, dynamic};
use switchyard_envoy::bootstrap::to_yaml;
use switchyard_envoy::yaml::load;

/// How many files can be watched everywhere: Linux allows a user 128 inotify instances, and a change has old and new.
const FILES: usize = 60;

/// Writes a bootstrap as files that Envoy watches, or changes those of a running Envoy.
///
/// # Errors
/// Another call at work on the folder, files that cannot be written, an admin interface that is not this folder's; a
/// running Envoy that refuses a file or does not take it within `patience`, after what was there before was put back.
pub fn run(bootstrap: Value, out: &Path, admin: SocketAddr, patience: Duration) -> Result<(), Failure> {
    let root = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    let folder = Folder::lock(&root)?;
    let new = dynamic(bootstrap, &root);
    if new.sources.len() > FILES {
        note(&format!(
            "warning: Envoy watches {} files, each with an inotify instance of its own, and aborts where there is none \
             left: where it runs, `sysctl fs.inotify.max_user_instances` must be at least twice as many",
            new.sources.len()
        ));
    }
    // A folder without clusters is one that no Envoy has been started with.
    let running = match folder.read(CLUSTERS)? {
        Some(_) => Admin::of(admin_address(&folder, admin)?, &root.join(CLUSTERS)).map_err(Failure::Expectation)?,
        None => None,
    };
    let mut written = match running {
        Some(envoy) => live(&folder, &new, &envoy, patience)?,
        None => at_once(&folder, &new, admin)?,
    };
    folder.forget()?;
    if written.is_empty() {
        note("note: nothing has changed");
    }
    // Clusters are written twice when some of them go.
    written.sort();
    written.dedup();
    written.iter().try_for_each(|name| print(&format!("{}\n", out.join(name).display())))
}

/// Changes the files of a running Envoy.
fn live(folder: &Folder, new: &Dynamic, envoy: &Admin, patience: Duration) -> Result<Vec<String>, Failure> {
    let mut written = Change::new(folder, new, envoy, patience)?.run()?;
    if folder.put(BOOTSTRAP, &to_yaml(&new.bootstrap))? {
        note(&format!(
            "note: `{BOOTSTRAP}` has changed (`stats_tags` of metrics, say): Envoy reads it at its next start"
        ));
        written.push(BOOTSTRAP.to_owned());
    }
    Ok(written)
}

/// Writes everything: nobody is reading.
fn at_once(folder: &Folder, new: &Dynamic, admin: SocketAddr) -> Result<Vec<String>, Failure> {
    let mut written = vec![];
    let texts = new.sources.iter().map(|source| (source.file.as_str(), source.text()));
    for (name, text) in texts.chain([(BOOTSTRAP, to_yaml(&new.bootstrap))]) {
        if folder.put(name, &text)? {
            written.push(name.to_owned());
        }
    }
    folder.remove_all_but(new)?;
    note(&format!("note: no Envoy that reads them answers on `{admin}`, so all files were written at once"));
    Ok(written)
}

/// Where the admin interface of the Envoy is that was started with the folder.
fn admin_address(folder: &Folder, wanted: SocketAddr) -> Result<SocketAddr, Failure> {
    let Some(written) = folder.read(BOOTSTRAP)?.as_deref().and_then(written_admin) else { return Ok(wanted) };
    if written != wanted && matches!(Admin::of(written, &folder.path().join(CLUSTERS)), Ok(Some(_))) {
        return Err(Failure::Usage(format!(
            "the running Envoy has its admin interface on `{written}`, and it cannot move while Envoy runs: \
             give `--admin {written}`, or end that Envoy first"
        )));
    }
    Ok(wanted)
}

fn written_admin(bootstrap: &str) -> Option<SocketAddr> {
    let (documents, _) = load(bootstrap);
    let bootstrap = documents.first()?.to_json();
    let address = bootstrap.pointer("/admin/address/socket_address")?;
    let port = u16::try_from(address.get("port_value")?.as_u64()?).ok()?;
    Some(SocketAddr::new(address.get("address")?.as_str()?.parse().ok()?, port))
}
