//! Faults and mirrors that never happen (istio.md 1.13, 1.14).

use super::Rule;
use switchyard_filter::document::{Abort, Delay, Percent};

pub fn check(rule: &mut Rule<'_>) {
    let written = rule.written;
    if let Some(fault) = &written.fault {
        if let Some(delay) = &fault.delay {
            self::delay(rule, delay);
        }
        if let Some(abort) = &fault.abort {
            self::abort(rule, abort);
        }
    }
    let answers = written.redirect.is_some() || written.direct_response.is_some();
    if answers && (written.mirror.is_some() || !written.mirrors.is_empty()) {
        let field = if written.mirror.is_some() { "mirror" } else { "mirrors" };
        let message = "this has no effect: a rule that answers by itself mirrors nothing";
        rule.warn(field, "ignored-field", message, "leave it out");
    }
    for (field, is_there) in [
        ("mirrorPercentage", written.mirror_percentage.is_some()),
        ("mirrorPercent", written.mirror_percent.is_some()),
        ("mirror_percent", written.mirror_percent_snake.is_some()),
    ] {
        if is_there && written.mirror.is_none() {
            let message = format!("`{field}` without `mirror` has no effect");
            let help = "name where the copies go: `mirror: {host: …}`; `mirrors` have a `percentage` each";
            rule.warn(field, "mirror-without-destination", &message, help);
        }
    }
    percentage(rule, "mirrorPercentage", written.mirror_percentage.as_ref());
    for (index, mirror) in written.mirrors.iter().enumerate() {
        percentage(rule, &format!("mirrors[{index}].percentage"), mirror.percentage.as_ref());
    }
}

fn delay(rule: &mut Rule<'_>, delay: &Delay) {
    if delay.fixed_delay.is_none() {
        let message = "this delay never happens: it has no `fixedDelay`";
        rule.warn("fault.delay", "delay-never-fires", message, "write `fixedDelay: 5s`, or leave `delay` out");
    } else if delay.percentage.is_none() && delay.percent.is_none() {
        let message = "this delay never happens: without `percentage` it is for no request";
        rule.warn("fault.delay", "delay-never-fires", message, "write `percentage: {value: 100}` for all of them");
    }
    percentage(rule, "fault.delay.percentage", delay.percentage.as_ref());
}

fn abort(rule: &mut Rule<'_>, abort: &Abort) {
    if abort.http_status.is_none() && abort.grpc_status.is_none() {
        let message = "this abort never happens: it has no `httpStatus` or `grpcStatus`";
        rule.warn("fault.abort", "abort-never-fires", message, "write `httpStatus: 503`, or leave `abort` out");
    } else if abort.percentage.is_none() {
        let message = "this abort never happens: without `percentage` it is for no request";
        rule.warn("fault.abort", "abort-never-fires", message, "write `percentage: {value: 100}` for all of them");
    }
    percentage(rule, "fault.abort.percentage", abort.percentage.as_ref());
}

/// Istio counts in millionths and cuts the rest off.
fn percentage(rule: &mut Rule<'_>, field: &str, percentage: Option<&Percent>) {
    let Some(value) = percentage.map(|percentage| percentage.value) else { return };
    if value > 0.0 && value < 0.0001 {
        let message = format!("`{value}` percent is less than a millionth, which is cut off: it is for no request");
        rule.warn(&format!("{field}.value"), "share-of-zero", &message, "write at least `0.0001`");
    }
}
