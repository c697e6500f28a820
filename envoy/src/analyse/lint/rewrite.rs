//! Prefix rewrites whose ends do not fit: what is left of the path follows the new prefix as it is (istio.md 1.8).

use super::Rule;
use switchyard_filter::document::HttpMatchRequest;

pub fn check(rule: &mut Rule<'_>) {
    let written = rule.written;
    // Its delegate's rules say which paths.
    if written.delegate.is_some() {
        return;
    }
    if let Some(rewrite) = written.rewrite.as_ref().filter(|rewrite| rewrite.uri.starts_with('/')) {
        ends(rule, "rewrite.uri", &rewrite.uri);
    }
    if let Some(redirect) = written.redirect.as_ref().filter(|redirect| redirect.prefix_rewrite.starts_with('/')) {
        ends(rule, "redirect.prefixRewrite", &redirect.prefix_rewrite);
    }
}

fn ends(rule: &mut Rule<'_>, field: &str, new: &str) {
    let blocks = &rule.written.matches;
    let everything = [HttpMatchRequest::default()];
    let blocks = if blocks.is_empty() { everything.as_slice() } else { blocks };
    for (index, block) in blocks.iter().enumerate() {
        let Some(old) = prefix(block).filter(|_| block.uri.is_some() || !rule.is_delegated) else { continue };
        let before = blocks.get(..index).unwrap_or_default();
        if new.ends_with('/') && !old.is_empty() && !old.ends_with('/') {
            // `/api/` before takes what would get the two.
            let with_slash = format!("{old}/");
            if before.iter().any(|other| takes_beginning(other, &with_slash)) {
                continue;
            }
            let message = format!("`{old}/a` becomes `{new}/a`, with `//`: `{old}` is replaced and the rest stays");
            let help = format!("match `prefix: {old}/`, and `exact: {old}` in another block");
            rule.warn(field, "double-slash", &message, &help);
        } else if !new.ends_with('/') && old.ends_with('/') {
            let message = format!("`{old}a` becomes `{new}a`: `{old}` is replaced and the rest stays");
            rule.warn(field, "glued-path", &message, &format!("write `{new}/`"));
        }
    }
}

/// The prefix that a block asks for; `/` where it asks for no path.
fn prefix(block: &HttpMatchRequest) -> Option<&str> {
    match &block.uri {
        Some(uri) if uri.exact.is_some() || uri.regex.is_some() => None,
        Some(uri) => Some(uri.prefix.as_deref().unwrap_or("/")),
        None => Some("/"),
    }
}

/// Whether a block takes every request whose path begins so.
fn takes_beginning(block: &HttpMatchRequest, beginning: &str) -> bool {
    let plain = HttpMatchRequest { name: block.name.clone(), uri: block.uri.clone(), ..HttpMatchRequest::default() };
    plain == *block && prefix(block).is_some_and(|prefix| beginning.starts_with(prefix))
}
