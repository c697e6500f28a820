//! Which version answers, what it receives, what the client gets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::compose::measure::Measure;
use crate::compose::metrics;
use crate::compose::policy::Policy;
use crate::compose::traffic::{Answer, CONNECTIONS, get, send};
use crate::demo::{HOST, User, users};
use crate::harness::Request;

const PATH: &str = "/catalogDetail";
/// The seed of the users' cookies: with the policy's own seed it fixes every sticky choice.
const SEED: u64 = 5;

/// So many plain requests of nobody in particular.
fn plain(mark: &str, count: usize) -> Vec<Request> {
    (0..count).map(|_| get(mark, HOST, PATH)).collect()
}

fn count(answers: &[Answer], holds: impl Fn(&Answer) -> bool) -> usize {
    answers.iter().filter(|answer| holds(answer)).count()
}

/// Requests that no service answered with 200; the first is told.
fn lost(answers: &[Answer]) -> Measure {
    let bad: Vec<&Answer> = answers.iter().filter(|answer| !answer.is_ok()).collect();
    let what = bad.first().map_or("lost".to_owned(), |one| format!("lost (status {}, {})", one.status, one.said));
    Measure::none(what, bad.len(), answers.len())
}

pub async fn subset(envoy: SocketAddr) -> Result<Vec<Measure>, String> {
    Policy::of(&["01-subset.yaml"]).apply().await?;
    let answers = send(envoy, plain("subset", 500), CONNECTIONS).await;
    Ok(vec![Measure::all("to v1", count(&answers, |one| one.is_ok() && one.upstream == "v1"), answers.len())])
}

pub async fn split(envoy: SocketAddr) -> Result<Vec<Measure>, String> {
    Policy::of(&["02-90-10.yaml"]).apply().await?;
    let answers = send(envoy, plain("split", 2000), CONNECTIONS).await;
    let canary = count(&answers, |one| one.is_ok() && one.upstream == "v2");
    Ok(vec![Measure::share("requests to v2", canary, answers.len(), 10), lost(&answers)])
}

pub async fn path_rewrite(envoy: SocketAddr) -> Result<Vec<Measure>, String> {
    Policy::demo(&[]).apply().await?;
    let mut measures = Vec::new();
    for version in ["v1", "v2"] {
        let target = format!("/{version}{PATH}?from=walk");
        let requests = (0..250).map(|_| get("path", HOST, &target)).collect();
        let answers = send(envoy, requests, CONNECTIONS).await;
        let expected = format!("{PATH}?from=walk");
        let right = count(&answers, |one| one.is_ok() && one.upstream == version && one.path == expected);
        measures.push(Measure::all(format!("`/{version}{PATH}` to {version} as `{PATH}`"), right, answers.len()));
    }
    Ok(measures)
}

pub async fn header_tagging(envoy: SocketAddr) -> Result<Vec<Measure>, String> {
    Policy::demo(&[]).apply().await?;
    let cookies: Vec<String> = users(SEED, 1000, 0).iter().filter_map(User::cookie).collect();
    let visit = |cookie: &String| get("tagging", HOST, PATH).header("cookie", format!("uid={cookie}"));
    let first = send(envoy, cookies.iter().map(visit).collect(), CONNECTIONS).await;
    let again = send(envoy, cookies.iter().map(visit).collect(), CONNECTIONS).await;
    let forge = |(number, cookie): (usize, &String)| {
        visit(cookie).header(["user-type", "User-Type", "User_Type"][number % 3], "internal")
    };
    let forged = send(envoy, cookies.iter().enumerate().map(forge).collect(), CONNECTIONS).await;

    let tagged = count(&first, |one| one.tags == ["internal"]);
    let changed = first.iter().zip(&again).filter(|(one, other)| one.tags != other.tags || one.tags.len() != 1).count();
    let through = first.iter().zip(&forged).filter(|(one, other)| one.tags != other.tags).count();
    let astray = count(&first, |one| one.tags == ["internal"] && one.upstream != "v2");
    Ok(vec![
        Measure::share("users tagged `internal`", tagged, first.len(), 30),
        Measure::none("of these not at v2", astray, tagged),
        Measure::none("users whose tag changed", changed, first.len()),
        Measure::none("forged tags that got through", through, first.len()),
        lost(&[first, again, forged].concat()),
    ])
}

pub async fn mirror(envoy: SocketAddr) -> Result<Vec<Measure>, String> {
    Policy::of(&["05-mirror.yaml"]).apply().await?;
    let before = at_mirror().await?;
    let answers = send(envoy, plain("mirror", 1000), CONNECTIONS).await;
    // Nobody waits for a copy: the last ones may be under way.
    let mut copies = at_mirror().await?;
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_secs(1) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = at_mirror().await?;
        if now != copies {
            (copies, since) = (now, Instant::now());
        }
    }
    Ok(vec![
        Measure::share("copies at the mirror", copies - before, answers.len(), 50),
        Measure::all("answered by v1", count(&answers, |one| one.is_ok() && one.upstream == "v1"), answers.len()),
    ])
}

/// Copies of this scenario that arrived at the mirror.
async fn at_mirror() -> Result<usize, String> {
    let samples = metrics::fetch("mirror:9100", "/metrics").await?;
    Ok(metrics::sum(&samples, "catalogdetail_requests_total", &[("walk", "mirror")]))
}

pub async fn fault(envoy: SocketAddr) -> Result<Vec<Measure>, String> {
    Policy::of(&["06-fault.yaml"]).apply().await?;
    // They wait: more at once.
    let answers = send(envoy, plain("fault", 600), 60).await;
    // Envoy's timers may fire 3 ms early (envoy.md 3); nothing else takes so long.
    let delayed = |one: &Answer| one.took >= Duration::from_millis(990);
    let aborted = |one: &Answer| one.status == 555;
    let neither: Vec<Answer> = answers.iter().filter(|one| !aborted(one)).cloned().collect();
    Ok(vec![
        Measure::share("delayed for 1 s", count(&answers, delayed), answers.len(), 50),
        Measure::share("aborted with 555", count(&answers, aborted), answers.len(), 50),
        Measure::share("both", count(&answers, |one| delayed(one) && aborted(one)), answers.len(), 25),
        lost(&neither),
    ])
}
