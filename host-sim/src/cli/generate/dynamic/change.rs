//! The steps of a change.

mod delay;

use super::admin::{Admin, State};
use super::folder::Folder;
use crate::cli::failure::Failure;
use crate::cli::note;
use serde_json::Value;
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};
use switchyard_envoy::bootstrap::dynamic::{Dynamic, Kind, Source, read};

/// Between two looks at Envoy, at first and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));
/// Between two words on what is waited for.
const WORDS: Duration = Duration::from_secs(5);
/// How long after a policy is accepted the last request of the one before is on its way: workers switch apart, and a
/// retry waits up to 250 ms (envoy.md 4.2).
const WORKERS: Duration = Duration::from_secs(1);

/// A change of what a running Envoy does.
#[derive(Debug)]
pub struct Change<'a> {
    folder: &'a Folder,
    new: &'a Dynamic,
    envoy: &'a Admin,
    patience: Duration,
    /// The clusters of the new policy, and those of the one in force.
    union: Source,
    /// How long a request may be held before it goes to its cluster, under the policies in force.
    delay: Duration,
    /// How long requests may be held for clusters that go, from when the new policy was in force.
    wait: Duration,
    /// What was written, in order.
    written: Vec<String>,
}

/// Why a step did not come to its end.
enum Stopped {
    /// Envoy refused the file, for this reason.
    Refused(String, String),
    /// Envoy did not take these files in time.
    Late(String),
    /// Envoy does not answer any more.
    Gone(String),
    /// A file could not be written.
    Failed(Failure),
}

impl<'a> Change<'a> {
    /// Looks at what is in force.
    ///
    /// # Errors
    /// Files that cannot be read, an Envoy that does not answer.
    pub fn new(folder: &'a Folder, new: &'a Dynamic, envoy: &'a Admin, patience: Duration) -> Result<Self, Failure> {
        let state = envoy.state().map_err(Failure::Expectation)?;
        // Before anything is forgotten.
        let delay = delay::longest(folder, new, envoy)?;
        let mut union = None;
        for source in &new.sources {
            let (disk, previous) = (folder.read(&source.file)?, folder.previous(&source.file)?);
            let disk = disk.as_deref().and_then(read);
            // A call that ended in between left both; Envoy knows which of them it took.
            let is_accepted = disk.as_ref().is_some_and(|(version, _)| state.version(source) == Some(version));
            if is_accepted {
                folder.forget_one(&source.file)?;
            }
            if source.kind == Kind::Clusters {
                let previous = previous.as_deref().and_then(read);
                let version = state.version(source);
                let accepted = match [disk, previous].into_iter().flatten().find(|(known, _)| version == Some(known)) {
                    Some((_, clusters)) => clusters,
                    // Somebody has changed the file, or taken it away.
                    None => envoy.clusters().map_err(Failure::Expectation)?,
                };
                if !is_accepted && version.is_some() {
                    folder.keep_text(&source.file, &source.of(&accepted).text())?;
                }
                union = Some(source.with(&accepted));
            }
        }
        let union = union.ok_or_else(|| Failure::Expectation("there are no clusters to write".to_owned()))?;
        Ok(Self { folder, new, envoy, patience, union, delay, wait: Duration::ZERO, written: vec![] })
    }

    /// Makes it, until the new policy is in force.
    ///
    /// # Errors
    /// What stopped it; what was in force before is put back.
    pub fn policy(&mut self) -> Result<(), Failure> {
        if let Err(stopped) = self.steps() {
            let undone = self.undo();
            return Err(Self::failure(stopped, undone));
        }
        if self.clusters().is_some() {
            self.wait = self.folder.hold(self.delay + WORKERS)?;
        }
        self.folder.forget()
    }

    fn steps(&mut self) -> Result<(), Stopped> {
        let new = self.new;
        let of = |kind| new.sources.iter().filter(move |source| source.kind == kind);
        let union = self.union.clone();
        let clusters: Vec<_> = of(Kind::Endpoints).chain(of(Kind::ClusterSecret)).chain([&union]).collect();
        self.step("clusters", &clusters, &clusters)?;
        // Files of listeners that come are there before the listener, and nobody reads them until then.
        let state = self.envoy.state().map_err(Stopped::Gone)?;
        let (routes, policies): (Vec<_>, Vec<_>) = (of(Kind::Routes).collect(), of(Kind::Policy).collect());
        let is_read = |source: &&Source| state.version(source).is_some();
        let (read, unread): (Vec<_>, Vec<_>) = policies.iter().copied().partition(is_read);
        let read_routes: Vec<_> = routes.iter().copied().filter(is_read).collect();
        let secrets: Vec<_> = of(Kind::ListenerSecret).collect();
        self.step("routes", &[routes.as_slice(), &unread, &secrets].concat(), &read_routes)?;
        let listeners: Vec<_> = of(Kind::Listeners).collect();
        self.step("listeners", &listeners, &[listeners.as_slice(), &routes, &unread, &secrets].concat())?;
        self.step("policy", &read, &policies)
    }

    /// The clusters without those that go, if some do.
    fn clusters(&self) -> Option<&'a Source> {
        let clusters = self.new.sources.iter().find(|source| source.kind == Kind::Clusters);
        clusters.filter(|new| new.version != self.union.version)
    }

    /// Takes away clusters that the new policy does not know, when no request can be on its way to them, and says which
    /// files were written, in order. Until then another call may come, and then it is that one's to do.
    pub fn clusters_that_go(mut self) -> Result<Vec<String>, Failure> {
        if let Some(new) = self.clusters() {
            self.folder.release()?;
            let is_ours = self.nobody_needs_them(new)? && self.folder.retake()?;
            if !is_ours {
                note("note: another `switchyard generate` has come, and takes away what nobody needs");
                return Ok(self.written);
            }
            if let Err(stopped) = self.step("clusters", &[new], &[new]) {
                let why = told(&stopped);
                let _ = self.folder.restore(&new.file);
                return Err(Self::left(&why));
            }
        }
        self.folder.end(super::names(self.new))?;
        Ok(self.written)
    }

    /// Waits until no request can be on its way to clusters that go; `false` where another call came meanwhile.
    fn nobody_needs_them(&self, new: &Source) -> Result<bool, Failure> {
        let kept: BTreeSet<_> = names(new).collect();
        let gone: Vec<_> = names(&self.union).filter(|name| !kept.contains(name)).collect();
        note(&format!(
            "clusters: {} go, after {:.1} s and the requests on their way (at most {} s more); the new policy is in \
             force: the next call may come, and Ctrl-C leaves them to it",
            gone.len(),
            self.wait.as_secs_f64(),
            self.patience.as_secs()
        ));
        let free = Instant::now() + self.folder.held()?;
        let end = free + self.patience;
        loop {
            if self.folder.is_taken_over()? {
                return Ok(false);
            }
            let left = free.saturating_duration_since(Instant::now());
            if left.is_zero() {
                match self.envoy.requests(&gone).map_err(|why| Self::left(&why))? {
                    0 => return Ok(true),
                    count if Instant::now() > end => {
                        note(&format!(
                            "note: {count} requests to clusters that go are not answered yet; Envoy finishes them"
                        ));
                        return Ok(true);
                    }
                    _ => {}
                }
            }
            sleep(if left.is_zero() { LOOKS.1 } else { left.min(LOOKS.1) });
        }
    }

    fn left(why: &str) -> Failure {
        Failure::Expectation(format!(
            "the new policy is in force, but clusters that it does not need are left, which the next call takes away: {why}"
        ))
    }

    /// Writes what Envoy does not have of `write`, and waits until it has all of `wait`.
    fn step(&mut self, what: &str, write: &[&Source], wait: &[&Source]) -> Result<(), Stopped> {
        let before = self.envoy.before().map_err(Stopped::Gone)?;
        let start = Instant::now();
        let written = self.written.len();
        for source in write {
            let text = source.text();
            let version = before.version(source);
            let is_always_read = matches!(source.kind, Kind::Clusters | Kind::Listeners);
            let is_known = version.map_or(!is_always_read, |version| version == source.version);
            if is_known && self.folder.read(&source.file).map_err(Stopped::Failed)?.as_deref() == Some(&text) {
                continue;
            }
            self.folder.keep(&source.file).map_err(Stopped::Failed)?;
            self.written.push(source.file.clone());
            self.folder.replace(&source.file, &text).map_err(Stopped::Failed)?;
        }
        let written = self.written.len() - written;
        self.wait(what, wait, &before)?;
        if written > 0 {
            let (files, time) = (crate::cli::manifests::plural(written, "file"), start.elapsed().as_secs_f64());
            note(&format!("{what}: {files} changed, in force after {time:.1} s"));
        }
        Ok(())
    }

    fn wait(&self, what: &str, sources: &[&Source], before: &State) -> Result<(), Stopped> {
        let start = Instant::now();
        let (mut pause, mut word) = (LOOKS.0, WORDS);
        loop {
            let state = self.envoy.state().map_err(Stopped::Gone)?;
            if let Some(refused) = sources.iter().find(|one| state.refusals(one) > before.refusals(one)) {
                return Err(Stopped::Refused(refused.file.clone(), self.envoy.reason(refused.kind, before)));
            }
            let mut missing = sources.iter().filter(|source| state.version(source) != Some(&source.version)).peekable();
            let waits_for = match (missing.peek(), state.warming()) {
                (None, 0) => return Ok(()),
                (None, warming) => format!("{warming} clusters or listeners that are warming"),
                (Some(first), _) => match (first.file.clone(), missing.count()) {
                    (first, 1) => format!("`{first}`"),
                    (first, count) => format!("`{first}` and {} more", count - 1),
                },
            };
            if start.elapsed() > self.patience {
                return Err(Stopped::Late(waits_for));
            }
            if start.elapsed() > word {
                note(&format!("{what}: Envoy on `{}` has not taken {waits_for} yet", self.envoy.address()));
                word += WORDS;
            }
            sleep(pause);
            pause = (pause * 2).min(LOOKS.1);
        }
    }

    /// Puts back what was accepted, the last first.
    fn undo(&self) -> Result<(), String> {
        let mut back = vec![];
        for file in self.written.iter().rev() {
            if self.folder.restore(file).map_err(|_| format!("`{file}` cannot be put back"))? {
                back.push(file);
            }
        }
        let end = Instant::now() + self.patience;
        loop {
            let state = self.envoy.state()?;
            let is_back = |source: &&Source| {
                let text = self.folder.read(&source.file).ok().flatten();
                let version = text.as_deref().and_then(read).map(|(version, _)| version);
                state.version(source) == version.as_deref()
            };
            let mut sources = self.new.sources.iter().filter(|source| back.contains(&&source.file));
            match sources.find(|source| !is_back(source)) {
                None => return Ok(()),
                Some(late) if Instant::now() > end => return Err(format!("Envoy has not taken `{}` back", late.file)),
                Some(_) => sleep(LOOKS.1),
            }
        }
    }

    fn failure(stopped: Stopped, undone: Result<(), String>) -> Failure {
        let after = match undone {
            Ok(()) => "what was in force stays in force".to_owned(),
            Err(why) => format!("what was in force is not put back in full, the next call does it: {why}"),
        };
        match stopped {
            Stopped::Failed(Failure::File(message)) => Failure::File(format!("{message}; {after}")),
            Stopped::Failed(other) => other,
            other => Failure::Expectation(format!("{}; {after}", told(&other))),
        }
    }
}

fn told(stopped: &Stopped) -> String {
    match stopped {
        Stopped::Refused(file, reason) => format!("Envoy refuses `{file}`: {reason}"),
        Stopped::Late(what) => format!("Envoy has not taken {what} in time (`--timeout SECONDS`)"),
        Stopped::Gone(why) => why.clone(),
        Stopped::Failed(Failure::File(message)) => message.clone(),
        Stopped::Failed(_) => "a file cannot be written".to_owned(),
    }
}

fn names(clusters: &Source) -> impl Iterator<Item = &str> {
    clusters.resources().iter().filter_map(|cluster| cluster.get("name").and_then(Value::as_str))
}
