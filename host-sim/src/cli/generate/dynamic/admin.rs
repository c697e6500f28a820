//! What a running Envoy says on its admin interface of the files that it watches.

mod refusal;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use switchyard_envoy::bootstrap::dynamic::{Kind, Source};

/// How long one answer may take, in seconds: the main thread compiles what it was given before.
const ANSWER: u64 = 10;
/// How long a line may take until it is in the log.
const LOG: Duration = Duration::from_secs(2);
/// What is asked for, as a regular expression of statistics' names, its reserved characters escaped for a URL.
const WATCHED: &str = "(version_text%7Cupdate_rejected%7Cconfig_fail%7C%5Ecluster_manager.warming_clusters\
                       %7C%5Elistener_manager.total_listeners_warming)$";

/// A running Envoy.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    /// Its log, where it writes one to a file.
    log: Option<PathBuf>,
}

/// What it has, at one moment.
#[derive(Debug, Default)]
pub struct State {
    values: BTreeMap<String, String>,
    /// How long its log is, in bytes.
    log: u64,
}

impl Admin {
    /// The Envoy there that reads this file of clusters; `None` where nobody listens.
    ///
    /// # Errors
    /// Somebody does, and it is not that Envoy.
    pub fn of(address: SocketAddr, clusters: &Path) -> Result<Option<Self>, String> {
        if !Self::answers(address) {
            return Ok(None);
        }
        let mut found = Self { address, log: None };
        let dump = found.json("/config_dump?mask=bootstrap.dynamic_resources.cds_config")?;
        let path = "/configs/0/bootstrap/dynamic_resources/cds_config/path_config_source/path";
        let read = dump.pointer(path).and_then(Value::as_str);
        let is_same = |read: &str| {
            // Of the folder: the file may be away.
            let place = |path: &Path| fs::canonicalize(path.parent()?).ok();
            let read = Path::new(read);
            read.file_name() == clusters.file_name()
                && (read == clusters || place(read).is_some_and(|folder| Some(folder) == place(clusters)))
        };
        if !read.is_some_and(is_same) {
            let read = read.map_or("no file of clusters".to_owned(), |read| format!("`{read}`"));
            return Err(format!(
                "the Envoy on `{address}` reads {read} and not `{}`: \
                 name the admin address of the right one, `--admin ADDRESS:PORT`, or another folder",
                clusters.display()
            ));
        }
        let info = found.json("/server_info")?;
        let log = info.pointer("/command_line_options/log_path").and_then(Value::as_str);
        found.log = log.filter(|log| !log.is_empty()).map(PathBuf::from);
        Ok(Some(found))
    }

    /// Whether somebody listens there.
    pub fn answers(address: SocketAddr) -> bool {
        TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok()
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has now.
    pub fn state(&self) -> Result<State, String> {
        let log = self.log.as_ref().and_then(|log| fs::metadata(log).ok()).map_or(0, |log| log.len());
        Ok(State { values: self.stats(WATCHED)?, log })
    }

    /// The clusters that it has.
    pub fn clusters(&self) -> Result<Vec<Value>, String> {
        self.dumped("dynamic_active_clusters", "cluster")
    }

    /// The plugin configurations that it has.
    pub fn policies(&self) -> Result<Vec<Value>, String> {
        self.dumped("ecds_filters", "ecds_filter")
    }

    /// Resources as they were given to it.
    fn dumped(&self, what: &str, field: &str) -> Result<Vec<Value>, String> {
        let mut dump = self.json(&format!("/config_dump?resource={what}"))?;
        let all = dump.get_mut("configs").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        Ok(all.into_iter().filter_map(|mut one| Some(one.get_mut(field)?.take())).collect())
    }

    /// How many requests are on their way to these clusters, or wait for a connection.
    pub fn requests(&self, clusters: &[&str]) -> Result<u64, String> {
        let stats = self.stats("%5Ecluster.*upstream_rq(_pending)?_active$")?;
        let of = |name: &&str| ["", "_pending"].map(|kind| format!("cluster.{name};.upstream_rq{kind}_active"));
        Ok(clusters.iter().flat_map(of).filter_map(|name| stats.get(&name)?.parse::<u64>().ok()).sum())
    }

    /// What it has now, and the end of its log, before something is changed: lines of the past are written before.
    pub fn before(&self) -> Result<State, String> {
        if self.log.is_some() && self.reopen().is_ok() {
            // Another thread of it writes.
            sleep(LOG / 40);
        }
        self.state()
    }

    /// Why it refused a file of this kind since then.
    pub fn reason(&self, kind: Kind, since: &State) -> String {
        self.logged(kind, since.log).or_else(|| self.state_of_listeners(kind)).unwrap_or_else(|| {
            "its log says why (`Filesystem config update rejected: …`); of an Envoy with `--log-path FILE` it is told here".into()
        })
    }

    /// Envoy keeps the reason for listeners alone.
    fn state_of_listeners(&self, kind: Kind) -> Option<String> {
        let path = "/config_dump?resource=dynamic_listeners&mask=error_state.details";
        let dump = (kind == Kind::Listeners).then(|| self.json(path).ok()).flatten()?;
        let mut all = dump.get("configs")?.as_array()?.iter();
        all.find_map(|one| one.pointer("/error_state/details")?.as_str()).map(str::to_owned)
    }

    /// The last refusal in the log, and what the plugin said to it.
    fn logged(&self, kind: Kind, since: u64) -> Option<String> {
        self.log.as_ref()?;
        let opened = self.reopen();
        let end = Instant::now() + LOG;
        loop {
            match self.refusal(kind, since) {
                None if opened.is_ok() && Instant::now() < end => sleep(LOG / 40),
                found => return found,
            }
        }
    }

    /// Envoy writes its log every 10 s, and at once when it opens it anew.
    fn reopen(&self) -> Result<minreq::Response, minreq::Error> {
        minreq::post(self.url("/reopen_logs")).with_timeout(ANSWER).send()
    }

    fn refusal(&self, kind: Kind, since: u64) -> Option<String> {
        let mut file = File::open(self.log.as_ref()?).ok()?;
        file.seek(SeekFrom::Start(since)).ok()?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).ok()?;
        refusal::refusal(kind, &String::from_utf8_lossy(&text))
    }

    fn stats(&self, filter: &str) -> Result<BTreeMap<String, String>, String> {
        let text = self.get(&format!("/stats?filter={filter}"))?;
        let pairs = text.lines().filter_map(|line| line.rsplit_once(": "));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect())
    }

    fn json(&self, path: &str) -> Result<Value, String> {
        let text = self.get(path)?;
        serde_json::from_str(&text).map_err(|_| format!("`{}` is no admin interface of an Envoy", self.address))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let failed = |why: String| format!("no Envoy answers on `{}`, but somebody listens there: {why}", self.address);
        let response =
            minreq::get(self.url(path)).with_timeout(ANSWER).send().map_err(|error| failed(error.to_string()))?;
        if response.status_code != 200 {
            return Err(format!("`{}` is no admin interface of an Envoy: {}", self.address, response.status_code));
        }
        response.as_str().map(str::to_owned).map_err(|error| failed(error.to_string()))
    }
}

impl State {
    /// The version of a file that is in force.
    pub fn version(&self, source: &Source) -> Option<&str> {
        self.values.get(&format!("{}.version_text", source.stat)).map(String::as_str)
    }

    /// How often it was refused.
    pub fn refusals(&self, source: &Source) -> u64 {
        self.number(&format!("{}.update_rejected", source.stat)) + self.number(&format!("{}.config_fail", source.stat))
    }

    /// Clusters and listeners that are not ready to serve yet.
    pub fn warming(&self) -> u64 {
        self.number("cluster_manager.warming_clusters") + self.number("listener_manager.total_listeners_warming")
    }

    fn number(&self, name: &str) -> u64 {
        self.values.get(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}
