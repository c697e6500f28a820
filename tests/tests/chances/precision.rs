//! How late delays are: ours beside Envoy's own fault filter, in one Envoy.

use super::*;

const REQUESTED: [u64; 4] = [1, 5, 20, 100];
const ROUNDS: usize = 40;

/// The bound, at the median.
const LATE: Duration = Duration::from_millis(10);

fn rules() -> String {
    let rule = |milliseconds: &u64| {
        format!(
            "
  - name: d{milliseconds}
    match: [{{uri: {{exact: /{milliseconds}}}}}]
    fault:
      delay: {{percentage: {{value: 100}}, fixedDelay: {milliseconds}ms}}
      abort: {{percentage: {{value: 100}}, httpStatus: 418}}
    route: [{{destination: {{host: shop, subset: v1}}}}]"
        )
    };
    REQUESTED.iter().map(rule).collect()
}

/// The same faults by Envoy's own filter. Either way answers by itself, so that nothing counts but who delays.
fn native(manager: &mut Value) {
    let fault = |milliseconds: &u64| {
        json!({"match": {"path": format!("/{milliseconds}")}, "direct_response": {"status": 200},
            "typed_per_filter_config": {"envoy.filters.http.fault": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
                "delay": {"fixed_delay": format!("{}s", f64::from(u32::try_from(*milliseconds).unwrap()) / 1000.0),
                          "percentage": {"numerator": 100}},
                "abort": {"http_status": 418, "percentage": {"numerator": 100}}}}})
    };
    let filters = manager["http_filters"].as_array_mut().unwrap();
    filters.retain(|filter| filter["name"] != "switchyard");
    let routes: Vec<_> = REQUESTED.iter().map(fault).collect();
    manager["route_config"]["virtual_hosts"][0]["routes"] = routes.into();
}

#[tokio::test]
async fn a_delay_is_never_early_and_hardly_late() {
    let none = ([127, 0, 0, 1], 9).into();
    let mut bootstrap = generate(&policy(&rules(), "{faults: filter}"), none, none);
    bootstrap.variant("mesh", "native", native);
    let running = Running::start(bootstrap, |launch| launch).await;
    let ways = [("filter", running.mesh), ("native", running.envoy.listener("native").await.unwrap())];
    println!("lateness in ms of {ROUNDS} requests each: least, median, most");
    for milliseconds in REQUESTED {
        let requested = Duration::from_millis(milliseconds);
        for (name, address) in ways {
            let mut client = Client::new(address);
            // In µs; negative where it came early.
            let mut late = Vec::new();
            for _ in 0..ROUNDS {
                let (response, took) = timed(&mut client, &get(&format!("/{milliseconds}"))).await;
                assert_eq!(response.status, 418, "{name}");
                late.push(i64::try_from(took.as_micros()).unwrap() - i64::try_from(requested.as_micros()).unwrap());
            }
            late.sort_unstable();
            let (least, median, most) = (late[0], late[ROUNDS / 2], late[ROUNDS - 1]);
            let ms = |micros: i64| format!("{}.{}", micros / 1000, micros.abs() % 1000 / 100);
            println!("{name:>7} {milliseconds:>4} ms: {:>6} {:>6} {:>6}", ms(least), ms(median), ms(most));
            if name == "filter" {
                assert!(least >= 0, "{milliseconds} ms: early by {least} µs");
                assert!(median <= i64::try_from(LATE.as_micros()).unwrap(), "{milliseconds} ms: {median} µs late");
            }
        }
    }
    running.stop().await;
}
