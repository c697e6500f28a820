//! One request that surprises, explained by the command, and the recorded traffic, replayed by it.

use std::path::Path;

use super::command::{self, arguments};
use super::load::{Answer, HOST, Side, Version};
use super::users::User;

/// A forging request of a user who is no internal one, and that v2 answered all the same: as if it had worked. The first
/// by the order of sending.
pub fn find(forged: &[Answer]) -> Option<&Answer> {
    let fits = |answer: &&Answer| {
        let seen = answer.seen.as_ref().ok();
        answer.side == Side::Ours && seen.is_some_and(|seen| seen.version == Version::V2 && seen.is_tagged("external"))
    };
    forged.iter().find(fits)
}

/// What `switchyard explain` says of it. Errors: the call fails, or it explains another outcome than Envoy's, or it does
/// not name the line of the rule.
pub async fn explain(manifests: &Path, answer: &Answer, user: &User) -> Result<String, String> {
    let cookie = user.cookie().ok_or("a returning user without a cookie")?;
    let mut call = arguments!["explain", manifests, "--request", format!("GET http://{HOST}{}", answer.target)];
    call.extend(arguments!["--header", format!("cookie: uid={cookie}"), "--header", "user-type: internal"]);
    let told = command::expect(&call).await?;

    if !told.contains("virtual-service.yaml:") {
        return Err(format!("`switchyard explain` names no line of the VirtualService:\n{told}"));
    }

    call.extend(arguments!["--format", "json"]);
    let json = command::expect(&call).await?;
    let decision: serde_json::Value =
        serde_json::from_str(&json).map_err(|error| format!("`switchyard explain --format json`: {error}: {json}"))?;
    let said = (decision["tags"]["user-type"].as_str(), decision["subset"].as_str());
    if said != (Some("external"), Some("v2")) {
        return Err(format!("`switchyard explain` says {said:?} where Envoy went to v2 as external: {json}"));
    }
    Ok(format!("$ switchyard {}\n{told}", shown(&call[..call.len() - 2])))
}

/// What `switchyard replay --expect-parity 100` says of the recorded traffic. Errors: it ends with another code than 0,
/// or does not tell a parity of 100.00 %.
pub async fn replay(manifests: &Path, traffic: &Path) -> Result<String, String> {
    let call = arguments!["replay", manifests, "--traffic", traffic, "--expect-parity", "100"];
    let told = command::expect(&call).await?;
    if told.contains("100.00 %") || told.contains("100.00%") {
        Ok(format!("$ switchyard {}\n{told}", shown(&call)))
    } else {
        Err(format!("`switchyard replay` does not tell a parity of 100.00 %:\n{told}"))
    }
}

/// The call as one could type it.
fn shown(call: &[std::ffi::OsString]) -> String {
    let quoted = |word: &std::ffi::OsString| {
        let word = word.to_string_lossy();
        if word.contains(' ') { format!("'{word}'") } else { word.into_owned() }
    };
    call.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
