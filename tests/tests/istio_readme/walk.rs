//! Who follows the chapter.

use super::chapter::Chapter;
use super::pods::{MESH, PATH, Pods, user};
use super::terminal::Terminal;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use switchyard_tests::chain::Chain;
use switchyard_tests::harness::Client;
use switchyard_tests::rollout::Ended;
use tokio::task::JoinHandle;

/// The chapter, and where it is followed.
pub struct Walk<'a> {
    pub chapter: Chapter,
    pub terminal: Terminal,
    pub pods: Pods<'a>,
    pub chain: &'a Chain,
    last: String,
}

impl<'a> Walk<'a> {
    pub fn begin(chain: &'a Chain) -> Self {
        let (chapter, terminal) = (Chapter::read("In Istio"), Terminal::open(chain));
        Self { chapter, terminal, pods: Pods::new(chain), chain, last: String::new() }
    }

    /// Types README's next command, which begins like this; it prints what README says, where README says so.
    pub async fn try_next(&mut self, begins: &str) -> Ended {
        let typed = self.chapter.command(begins);
        let ended = self.retry(&typed.line).await;
        if let Some(prints) = typed.prints {
            let all = ended.written.iter().map(String::as_str).chain(ended.said.lines());
            let (all, prints): (Vec<_>, _) = (all.map(str::trim_end).collect(), self.terminal.own(&prints));
            let told: Vec<_> = prints.lines().collect();
            assert_eq!(all, told, "`{}` prints something else than README says", typed.line);
        }
        self.last = typed.line;
        ended
    }

    /// Types the last one again.
    pub async fn again(&self) -> Ended {
        self.retry(&self.last).await
    }

    async fn retry(&self, line: &str) -> Ended {
        let started = Instant::now();
        let ended = self.terminal.run(line).await;
        println!("{:>5.1} s  exit code {:?}  $ {line}", started.elapsed().as_secs_f32(), ended.code);
        ended
    }

    /// [`Self::try_next`], which ends well; what it printed.
    pub async fn next(&mut self, begins: &str) -> Vec<String> {
        let ended = self.try_next(begins).await;
        assert_eq!(ended.code, Some(0), "`{}`: {:?} {}", self.last, ended.written, ended.said);
        ended.written
    }

    /// [`Self::next`], and the pods that Kubernetes replaces then, of these Deployments.
    pub async fn next_rolls(&mut self, begins: &str, deployments: &[&str]) {
        self.next(begins).await;
        let started = Instant::now();
        assert_eq!(self.pods.roll().await, deployments, "after `{}`", self.last);
        if !deployments.is_empty() {
            println!("{:>5.1} s  new pods of {deployments:?}", started.elapsed().as_secs_f32());
        }
    }

    /// What people add to the `ConfigMap` of the mesh configuration.
    pub async fn mesh_configuration(&mut self, field: &str) {
        let mesh = self.chapter.yaml(field);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"mesh": mesh},
            "metadata": {"name": "istio", "namespace": "istio-system"}});
        self.chain.apply_all(&[map]).await.unwrap();
    }

    /// Whose requests come all the time through productcatalog's sidecar.
    pub fn users(&self) -> Users {
        let address = self.pods.proxy("productcatalog").proxy().address(3000).unwrap();
        let left = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(ask(address, Arc::clone(&left)));
        Users { left, task }
    }
}

/// Users who ask until they leave.
pub struct Users {
    left: Arc<AtomicBool>,
    task: JoinHandle<(usize, Vec<String>)>,
}

impl Users {
    /// How many requests there were, and what became of those that failed.
    pub async fn leave(self) -> (usize, Vec<String>) {
        self.left.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// Half of them ask for what a rule rewrites: where only one of two parts is there, their path is lost. Half of all
/// requests begin a connection.
async fn ask(address: SocketAddr, left: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let (mut number, mut failed) = (0, Vec::new());
    while !left.load(Ordering::Relaxed) {
        let mut client = Client::new(address);
        for path in ["/v1/catalogDetail", PATH] {
            let answer = client.send(&user(MESH, path, number)).await;
            if !answer.as_ref().is_ok_and(|response| response.status == 200) {
                failed.push(format!("{path}: {:?}", answer.map(|response| response.status)));
            }
            number += 1;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    (number, failed)
}
