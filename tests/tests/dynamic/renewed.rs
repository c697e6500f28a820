//! Certificates that are renewed reach a running Envoy: moved into their folder by themselves, written in place with the
//! next call.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use switchyard_tests::harness::{Ca, Certificate, Client, Echo, Envoy, ServerTls, Tls, envoy_binary_of, free_port};
use switchyard_tests::rollout::Live;
use switchyard_tests::rollout::load::failures;
use switchyard_tests::rollout::manifests::{HOST, Service};
use tokio::task::JoinSet;

use super::{live, to_the_last, users};

/// How long Envoy may take to show what was moved.
const SOON: Duration = Duration::from_secs(20);

/// A gateway with a certificate, and an upstream that wants one.
struct Stage {
    live: Live,
    certs: tempfile::TempDir,
    gateway: SocketAddr,
    ca: Ca,
    yaml: String,
    upstream: Echo,
}

impl Stage {
    async fn new() -> Self {
        let (live, certs, ca) = (live(), tempfile::tempdir().unwrap(), Ca::new("authority"));
        let server = ServerTls::new(&ca.server(&[HOST]), Some(&ca)).unwrap();
        let upstream = Echo::named("v1").over(server).start().await.unwrap();
        let policy =
            "{tls: {mode: MUTUAL, credentialName: client}, connectionPool: {http: {maxRequestsPerConnection: 10}}}";
        let gateway = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let manifests = Service { policy, ..to_the_last(&[("v1", &upstream)]) }.yaml();
        let yaml = manifests.replace("hosts: [catalog]\n", "hosts: [catalog]\n  gateways: [mesh, edge]\n")
            + &format!(
                "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: edge, namespace: shop}}\n\
                 spec:\n  servers:\n  - port: {{number: {}, name: https, protocol: HTTPS}}\n    hosts: ['*']\n    \
                 tls: {{mode: SIMPLE, credentialName: edge}}\n",
                gateway.port()
            );
        ca.write(&certs.path().join("client")).unwrap();
        Self { live, certs, gateway, ca, yaml, upstream }
    }

    fn certs(&self, name: &str) -> std::path::PathBuf {
        self.certs.path().join(name)
    }

    async fn generate(&self) -> Vec<String> {
        let mut command = self.live.command(&self.yaml, None);
        let call = command.arg("--certs").arg(self.certs.path()).spawn().unwrap();
        self.live.ended(call).await.well().written
    }

    fn new_pair(&self) -> [Certificate; 2] {
        [self.ca.server(&[HOST]), self.ca.client("client.test")]
    }

    fn tls(&self) -> Tls {
        Tls::new(HOST, &self.ca, None).unwrap()
    }

    /// What the gateway shows to a new connection.
    async fn shown(&self) -> Vec<u8> {
        let stream = self.tls().connect(self.gateway).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    /// What the upstream is shown.
    async fn shown_upstream(&self) -> String {
        let answer = Client::new(self.live.listen()).get(HOST, "/").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json().unwrap()["tls"]["certificate"].as_str().unwrap().to_owned()
    }

    /// Waits until both are shown.
    async fn assert_shown(&self, what: &str, [server, client]: &[Certificate; 2]) {
        let end = Instant::now() + SOON;
        while self.shown().await != server.der || self.shown_upstream().await != STANDARD.encode(&client.der) {
            assert!(Instant::now() < end, "{what}: the old certificate is shown still");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// As Kubernetes writes a mounted Secret: files are links through `..data`, which a new one is moved over.
fn mount(folder: &Path, certificate: &Certificate) {
    use std::os::unix::fs::symlink;
    static VERSION: AtomicU64 = AtomicU64::new(0);
    let version = format!("..{}", VERSION.fetch_add(1, Ordering::SeqCst));
    certificate.write(&folder.join(&version)).unwrap();
    symlink(&version, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    for file in ["tls.crt", "tls.key"] {
        if !folder.join(file).exists() {
            symlink(format!("..data/{file}"), folder.join(file)).unwrap();
        }
    }
}

/// As `mv` does: one file after the other, and for a moment they do not belong together.
async fn replace(folder: &Path, certificate: &Certificate) {
    let [new, key] = certificate.write(&folder.join("new")).unwrap();
    for (file, pause) in [(key, 300), (new, 0)] {
        fs::rename(&file, folder.join(file.file_name().unwrap())).unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// How many inotify instances Envoy has.
fn instances(envoy: &Envoy) -> usize {
    let files = fs::read_dir(format!("/proc/{}/fd", envoy.id())).unwrap();
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    links.filter(|link| link.to_string_lossy().contains("inotify")).count()
}

/// Clients of the gateway on connections that stay open, until told to stop; how many answers there were.
fn clients(stage: &Stage, stop: &Arc<AtomicBool>) -> JoinSet<u64> {
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let (mut client, stop) = (Client::new(stage.gateway).over(stage.tls()), Arc::clone(stop));
        tasks.spawn(async move {
            let mut answers = 0;
            while !stop.load(Ordering::SeqCst) {
                let answer = client.get(HOST, "/").await.unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
                answers += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            answers
        });
    }
    tasks
}

async fn renewed_under_load(release: &str) {
    let stage = Stage::new().await;
    let old = stage.new_pair();
    fs::create_dir_all(stage.certs("edge")).unwrap();
    mount(&stage.certs("edge"), &old[0]);
    old[1].write(&stage.certs("client")).unwrap();
    stage.generate().await;
    let envoy = stage.live.launch().binary(envoy_binary_of(release).unwrap()).start().await.unwrap();
    stage.assert_shown("at the start", &old).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (mesh, mut gateway) = (users(&stage.live), clients(&stage, &stop));
    mesh.round().await;

    // Nobody calls.
    let moved = stage.new_pair();
    mount(&stage.certs("edge"), &moved[0]);
    replace(&stage.certs("client"), &moved[1]).await;
    stage.assert_shown("moved", &moved).await;
    mesh.round().await;

    // In place: seen by a call. (A link that is followed would write into the mounted folder.)
    let written = stage.new_pair();
    for (folder, certificate) in ["edge", "client"].into_iter().zip(&written) {
        certificate.write(&stage.certs(folder)).unwrap();
    }
    let files = stage.generate().await;
    assert!(files.iter().any(|file| file.starts_with("secret-edge-tls.crt-")), "{files:?}");
    assert!(files.iter().any(|file| file.starts_with("secret-client-tls.crt-")), "{files:?}");
    stage.assert_shown("written in place", &written).await;
    mesh.round().await;
    assert_eq!(stage.generate().await, Vec::<String>::new());

    // A secret is two of them; old ones are gone.
    let secrets = |name: &fs::DirEntry| name.file_name().to_string_lossy().starts_with("secret-");
    let secrets = fs::read_dir(stage.live.path("")).unwrap().map(Result::unwrap).filter(secrets).count();
    assert_eq!(secrets, 3);
    println!("{release}: {} inotify instances, {secrets} secrets", instances(&envoy));
    assert!(instances(&envoy) <= 30, "{}", instances(&envoy));

    let (seen, _) = mesh.drained().await;
    stop.store(true, Ordering::SeqCst);
    let mut answers = 0;
    while let Some(client) = gateway.join_next().await {
        answers += client.unwrap();
    }
    println!("{release}: {} answers through the mesh, {answers} through the gateway", seen.len());
    assert!(failures(&seen).is_empty() && answers > 0, "{:?}", failures(&seen));
    envoy.stop().await.unwrap();
    stage.upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewed_certificates_are_shown_and_no_request_is_lost() {
    for release in ["1.40.0", "1.36.2"] {
        renewed_under_load(release).await;
    }
}
