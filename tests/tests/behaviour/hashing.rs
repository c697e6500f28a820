//! Consistent hashing (issue 5, item 4; `envoy.md` 4.4), by the value that our filter puts into `x-switchyard-hash`.

use super::*;
use std::collections::BTreeMap;
use switchyard_tests::generated::echoed;

const USERS: u32 = 600;

/// The host of each user, asked for over four connections; the upstream sees what was hashed.
async fn homes(mesh: &Mesh, service: &'static str) -> BTreeMap<u32, String> {
    let part = |first: u32, mut client: Client| async move {
        let mut homes = Vec::new();
        for user in (first..USERS).step_by(4) {
            let request = Request::new("GET", service, "/").header("x-user", format!("user-{user}"));
            let said = client.send(&request).await.unwrap().json().unwrap();
            assert_eq!(echoed(&said, "x-switchyard-hash"), [format!("user-{user}")]);
            homes.push((user, said["upstream"].as_str().unwrap().to_owned()));
        }
        homes
    };
    together((0..4).map(|first| part(first, mesh.client()))).await.concat().into_iter().collect()
}

/// The hosts of an address are the same in two services, as they would be before and after an update: what a balancer
/// hashes of a host is its address.
#[tokio::test]
async fn a_user_stays_and_a_fifth_host_moves_a_fifth_of_them() {
    let hosts = upstreams(5).await;
    let all = addresses(&hosts);
    let hashed = |name: &str, count: usize, algorithm: &str| {
        let policy = format!("loadBalancer: {{consistentHash: {{httpHeaderName: x-user{algorithm}}}}}");
        Service::new(name, &all[..count]).policy(&policy)
    };
    let (ring, maglev) = (", ringHash: {minimumRingSize: 1024}", ", maglev: {tableSize: 65537}");
    let mesh = Mesh::start(&[
        hashed("ring-four", 4, ring),
        hashed("ring-five", 5, ring),
        hashed("maglev-four", 4, maglev),
        hashed("maglev-five", 5, maglev),
    ])
    .await;
    // A ring of 1024 has 256 points of each of four hosts, or 205 of each of five: 820 points stay, 204 go, 205 are new. A
    // user whose next point stays does not move (820 of 1229). One whose next point goes comes to the next of those that are
    // there then, 1025, of which 615 are neither its own host's nor the fifth's: 204/1229 · 615/1025 = 10 % move among the
    // others, though a perfect hash would move nobody there. To the fifth move 205/1229 + 204/1229 · 205/1025 = 20 %.
    // Shares of a ring deviate by themselves: with k of the points, arcs between random points, by about 1/√k of a share.
    // A maglev table gives each of five a fifth of its 65,537 entries, ± 1, and moves 0.1 % among the others (simulated).
    for (name, four, five, strays, points) in [
        ("ring", "ring-four", "ring-five", 0.1, 1229.0),
        ("maglev", "maglev-four", "maglev-five", 0.001, f64::INFINITY),
    ] {
        let (before, after) = (homes(&mesh, four).await, homes(&mesh, five).await);
        assert_eq!(homes(&mesh, five).await, after, "{name}: everybody stays");
        let moved: Vec<_> = before.iter().filter(|(user, home)| after[user] != **home).collect();
        let to_others = moved.iter().filter(|(user, _)| after[user] != "e").count();
        let to_fifth = moved.len() - to_others;
        let share = |count: usize| f64::from(u32::try_from(count).unwrap()) / f64::from(USERS);
        println!("{name}: {} of {USERS} moved, {to_others} of them not to the fifth", moved.len());
        for (count, expected) in [(to_fifth, 0.2), (to_others, strays)] {
            let variance = expected * (1.0 - expected) * (1.0 / f64::from(USERS) + 1.0 / points);
            let off = (share(count) - expected).abs();
            assert!(off <= 4.0 * variance.sqrt() + 0.001, "{name}: {count} of {USERS} moved, not {expected} of them");
        }
        for host in ["a", "b", "c", "d", "e"] {
            assert!(after.values().any(|home| home == host), "{name}: {host} has users");
        }
    }
    mesh.stop().await;
}
