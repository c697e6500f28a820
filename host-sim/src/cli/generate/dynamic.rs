//! `--dynamic`: the files that a running Envoy watches, changed in an order in which no request is lost.
//!
//! Clusters are there before a policy names them, and go after it. Each step waits until the running Envoy says that it
//! has it; what it refuses is put back. Whatever ends the command in between leaves files that are each whole, clusters
//! for the old policy and the new one, and the last accepted version of what was being changed: the next call goes on.

mod admin;
mod apart;
mod change;
mod folder;

use super::ours::headed;
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

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The folder.
    pub out: &'a Path,
    /// Where the admin interface is.
    pub admin: SocketAddr,
    /// How long Envoy may take for a step.
    pub patience: Duration,
}

/// Writes a bootstrap as files that Envoy watches, or changes those of a running Envoy.
///
/// # Errors
/// Nothing is written: a folder in which somebody else's files would be lost or taken for manifests, another call at work
/// on it, an admin interface that is not this folder's. Files that cannot be written; a running Envoy that refuses a file
/// or does not take it in time, after what was there before was put back.
pub fn run(bootstrap: Value, manifests: &[String], call: &Call<'_>) -> Result<(), Failure> {
    let &Call { out, admin, patience } = call;
    let root = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    apart::check(out, manifests)?;
    let new = dynamic(bootstrap, &root);
    let folder = Folder::new(&root);
    folder.check(names(&new))?;
    // Also of a folder in which nothing is: its Envoy may run all the same, or another one where ours is wanted.
    let running = running(&folder, admin)?;
    folder.lock()?;
    if new.sources.len() > FILES {
        note(&format!(
            "warning: Envoy watches {} files, each with an inotify instance of its own, and aborts where there is none \
             left: where it runs, `sysctl fs.inotify.max_user_instances` must be at least twice as many",
            new.sources.len()
        ));
    }
    folder.list(names(&new))?;
    let mut written = match running {
        Some(envoy) => live(&folder, &new, &envoy, patience)?,
        None => at_once(&folder, &new, admin)?,
    };
    if written.is_empty() {
        note("note: nothing has changed");
    }
    // Clusters are written twice when some of them go.
    written.sort();
    written.dedup();
    written.iter().try_for_each(|name| print(&format!("{}\n", out.join(name).display())))
}

/// The files that a folder has.
fn names(new: &Dynamic) -> impl Iterator<Item = &str> {
    new.sources.iter().map(|source| source.file.as_str()).chain([BOOTSTRAP])
}

/// Changes the files of a running Envoy.
fn live(folder: &Folder, new: &Dynamic, envoy: &Admin, patience: Duration) -> Result<Vec<String>, Failure> {
    let mut change = Change::new(folder, new, envoy, patience)?;
    change.policy()?;
    let is_new_bootstrap = folder.put(BOOTSTRAP, &headed(to_yaml(&new.bootstrap)))?;
    if is_new_bootstrap {
        note(&format!(
            "note: `{BOOTSTRAP}` has changed (`stats_tags` of metrics, say): Envoy reads it at its next start"
        ));
    }
    let mut written = change.clusters_that_go()?;
    written.extend(is_new_bootstrap.then(|| BOOTSTRAP.to_owned()));
    Ok(written)
}

/// Writes everything: nobody is reading.
fn at_once(folder: &Folder, new: &Dynamic, admin: SocketAddr) -> Result<Vec<String>, Failure> {
    let mut written = vec![];
    let texts = new.sources.iter().map(|source| (source.file.as_str(), source.text()));
    for (name, text) in texts.chain([(BOOTSTRAP, headed(to_yaml(&new.bootstrap)))]) {
        if folder.put(name, &text)? {
            written.push(name.to_owned());
        }
    }
    folder.end(names(new))?;
    note(&format!("note: no Envoy that reads them answers on `{admin}`, so all files were written at once"));
    Ok(written)
}

/// The Envoy that reads the folder; `None` where nobody listens.
fn running(folder: &Folder, wanted: SocketAddr) -> Result<Option<Admin>, Failure> {
    let clusters = folder.path().join(CLUSTERS);
    let written = folder.read(BOOTSTRAP)?.as_deref().and_then(written_admin).filter(|written| *written != wanted);
    if let Some(written) = written.filter(|written| matches!(Admin::of(*written, &clusters), Ok(Some(_)))) {
        return Err(Failure::Usage(format!(
            "the running Envoy has its admin interface on `{written}`, and it cannot move while Envoy runs: \
             give `--admin {written}`, or end that Envoy first"
        )));
    }
    Admin::of(wanted, &clusters).map_err(|why| Failure::Expectation(format!("{why}; nothing was written")))
}

fn written_admin(bootstrap: &str) -> Option<SocketAddr> {
    let (documents, _) = load(bootstrap);
    let bootstrap = documents.first()?.to_json();
    let address = bootstrap.pointer("/admin/address/socket_address")?;
    let port = u16::try_from(address.get("port_value")?.as_u64()?).ok()?;
    Some(SocketAddr::new(address.get("address")?.as_str()?.parse().ok()?, port))
}
