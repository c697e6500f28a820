//! Fields that Istio has given up for others, and one that Istio 1.29 does not know (istio.md 1.9, 1.13 to 1.15).

use super::Rule;

pub fn check(rule: &mut Rule<'_>) {
    let written = rule.written;
    if let Some(delay) = &written.fault.as_ref().and_then(|fault| fault.delay.as_ref())
        && let Some(percent) = delay.percent
    {
        let instead = format!("write `percentage: {{value: {percent}}}`");
        deprecated(rule, "fault.delay.percent", "percentage", delay.percentage.is_some(), &instead);
    }
    let percents = [("mirrorPercent", written.mirror_percent), ("mirror_percent", written.mirror_percent_snake)];
    for (field, percent) in percents {
        if let Some(percent) = percent {
            let instead = format!("write `mirrorPercentage: {{value: {percent}}}`");
            deprecated(rule, field, "mirrorPercentage", written.mirror_percentage.is_some(), &instead);
        }
    }
    if let Some(cors) = written.cors_policy.as_ref().filter(|cors| !cors.allow_origin.is_empty()) {
        let origins: Vec<_> = cors.allow_origin.iter().map(|origin| format!("{{exact: \"{origin}\"}}")).collect();
        let instead = format!("write `allowOrigins: [{}]`", origins.join(", "));
        deprecated(rule, "corsPolicy.allowOrigin", "allowOrigins", !cors.allow_origins.is_empty(), &instead);
    }
    if written.redirect.as_ref().is_some_and(|redirect| !redirect.prefix_rewrite.is_empty()) {
        let message = "`prefixRewrite` is newer than Istio 1.29, which refuses it or leaves it out";
        let help = "keep it for where Switchyard decides, or write `uri` in a rule for each path";
        rule.warn("redirect.prefixRewrite", "newer-than-istio", message, help);
    }
}

/// `field` is deprecated for `successor`, which counts where both are there.
fn deprecated(rule: &mut Rule<'_>, field: &str, successor: &str, has_both: bool, instead: &str) {
    let name = field.rsplit('.').next().unwrap_or(field);
    if has_both {
        let message = format!("`{name}` is deprecated, and has no effect beside `{successor}`");
        rule.warn(field, "deprecated-field", &message, "leave it out");
    } else {
        rule.warn(field, "deprecated-field", &format!("`{name}` is deprecated for `{successor}`"), instead);
    }
}
