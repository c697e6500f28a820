//! Bodies that are allowed and large (istio.md 1.10).

use super::Rule;

/// In bytes: above it Istio warns.
const LARGE: usize = 100 * 1024;

pub fn check(rule: &mut Rule<'_>) {
    let body = rule.written.direct_response.as_ref().and_then(|answer| answer.body.as_ref());
    // Three bytes are four characters of base64.
    let text = body.and_then(|body| body.string.as_ref()).map(String::len);
    let size = text.or_else(|| body?.bytes.as_ref().map(|text| text.len() / 4 * 3));
    if let Some(size) = size.filter(|size| *size > LARGE) {
        let message = format!("the body has {size} bytes: every proxy has it in its configuration");
        rule.warn("directResponse.body", "large-body", &message, "have a service answer what is above 100 KB");
    }
}
