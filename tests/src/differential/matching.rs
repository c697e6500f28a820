//! Random match blocks.

use super::feature::Feature;
use super::regex::Regex;
use super::unit::Writer;
use super::words::{HEADERS, METHODS, PARAMETERS, PATHS, PSEUDO, VALUES, WORDS};
use super::world::{AWAY, HOME};
use serde_json::{Map, Value, json};

/// A block of conditions.
pub fn block(writer: &mut Writer<'_>) -> Value {
    let mut block = Map::new();
    if writer.rng.chance(15) {
        block.insert("name".into(), json!("m"));
    }
    if writer.may(Feature::Uri, 65) {
        block.insert("uri".into(), uri(writer));
        if writer.may(Feature::IgnoreUriCase, 20) {
            let ignore = writer.rng.chance(85);
            block.insert("ignoreUriCase".into(), json!(ignore));
        }
    }
    if writer.may(Feature::Headers, 35) {
        let headers = several(writer, &HEADERS, false);
        block.insert("headers".into(), headers);
    }
    if writer.may(Feature::PseudoHeaders, 5) {
        let name = writer.rng.pick(&PSEUDO);
        let condition = text(writer, pseudo_words(name));
        block.entry("headers").or_insert_with(|| json!({}))[name] = condition;
    }
    if writer.may(Feature::WithoutHeaders, 18) {
        let headers = several(writer, &HEADERS, true);
        block.insert("withoutHeaders".into(), headers);
    }
    if writer.may(Feature::QueryParams, 20) {
        let parameters = several(writer, &PARAMETERS, false);
        block.insert("queryParams".into(), parameters);
    }
    if writer.may(Feature::Method, 15) {
        let condition = text(writer, &METHODS);
        block.insert("method".into(), condition);
    }
    if writer.may(Feature::Scheme, 5) {
        let condition = text(writer, &["http", "https", "h"]);
        block.insert("scheme".into(), condition);
    }
    if writer.may(Feature::Authority, 8) {
        block.insert("authority".into(), authority(writer));
    }
    if writer.may(Feature::Port, 10) {
        // The mesh has port 80 only: another one there is an error that says so.
        let ports: &[u16] = if writer.gateways.is_empty() { &[80] } else { &[80, 80, 8080, 8081] };
        block.insert("port".into(), json!(writer.rng.pick(ports)));
    }
    if writer.may(Feature::MatchGateways, 8) {
        let mut known: Vec<String> = writer.gateways.iter().map(|gateway| format!("{HOME}/{gateway}")).collect();
        if writer.mesh {
            known.push("mesh".into());
        }
        block.insert("gateways".into(), json!([writer.rng.pick(&known)]));
    }
    if writer.may(Feature::SourceLabels, 6) {
        let labels = [json!({"app": "front"}), json!({"app": "back"}), json!({"app": "front", "tier": "web"})];
        block.insert("sourceLabels".into(), writer.rng.pick(&labels).clone());
    }
    if writer.may(Feature::SourceNamespace, 6) {
        block.insert("sourceNamespace".into(), json!(writer.rng.pick(&[HOME, HOME, AWAY])));
    }
    Value::Object(block)
}

fn uri(writer: &mut Writer<'_>) -> Value {
    match writer.rng.below(20) {
        0..8 => json!({"prefix": writer.rng.pick(&PATHS)}),
        8..14 => json!({"exact": writer.rng.pick(&PATHS)}),
        14 => json!({"prefix": ""}),
        15 if writer.may(Feature::UriRegex, 100) => {
            let all = writer.rng.pick(&[".*", "/.*", "/a.*"]);
            let regex = Regex::All(vec![
                Regex::Text(all.strip_suffix(".*").unwrap_or_default().into()),
                Regex::Many(Box::new(Regex::Class(".", "/ab1")), '*'),
            ]);
            writer.regexes.insert(all.into(), regex);
            json!({"regex": all})
        }
        _ if writer.may(Feature::UriRegex, 100) => {
            let regex = Regex::of_path(&mut writer.rng);
            json!({"regex": note(writer, regex)})
        }
        _ => json!({"prefix": "/"}),
    }
}

/// Keeps a regular expression for requests; its text.
fn note(writer: &mut Writer<'_>, regex: Regex) -> String {
    let text = regex.text();
    writer.regexes.insert(text.clone(), regex);
    text
}

fn several(writer: &mut Writer<'_>, names: &[&str], without: bool) -> Value {
    let mut all = Map::new();
    for _ in 0..=writer.rng.below(2) {
        let name = (writer.rng.pick(names)).to_owned();
        let name = if writer.rng.chance(10) { name.to_ascii_uppercase() } else { name };
        if all.keys().any(|known| known.eq_ignore_ascii_case(&name)) {
            continue;
        }
        let condition = if without && writer.rng.chance(8) { json!({"regex": "*"}) } else { text(writer, &VALUES) };
        all.insert(name, condition);
    }
    Value::Object(all)
}

/// A condition on a text that is one of these words mostly.
pub fn text(writer: &mut Writer<'_>, words: &[&'static str]) -> Value {
    match writer.rng.below(20) {
        0..8 => json!({"exact": writer.rng.pick(words)}),
        8 => json!({"exact": ""}),
        9..13 => {
            let word = writer.rng.pick(words);
            let length = 1 + writer.rng.below(word.len());
            json!({"prefix": word.get(..length).unwrap_or(word)})
        }
        13..17 => {
            let words = if words == VALUES { &WORDS[..] } else { words };
            let regex = Regex::of_value(&mut writer.rng, words);
            json!({"regex": note(writer, regex)})
        }
        17 => {
            writer.regexes.insert(".*".into(), Regex::Many(Box::new(Regex::Class(".", "ab1")), '*'));
            json!({"regex": ".*"})
        }
        _ => json!({}),
    }
}

fn pseudo_words(name: &str) -> &'static [&'static str] {
    match name {
        ":method" => &METHODS,
        ":path" => &["/", "/a", "/api", "/a?k=a"],
        ":scheme" => &["http", "https"],
        _ => &["u", "a.u"],
    }
}

fn authority(writer: &mut Writer<'_>) -> Value {
    let n = writer.number;
    let hosts =
        [format!("u{n}.test"), format!("a.u{n}.test"), format!("u{n}"), format!("u{n}.test:80"), format!("u{n}:80")];
    match writer.rng.below(4) {
        0 | 1 => json!({"exact": writer.rng.pick(&hosts)}),
        2 => json!({"prefix": writer.rng.pick(&hosts)}),
        _ => {
            let host = writer.rng.pick(&hosts).clone();
            let end = Regex::Many(Box::new(Regex::Text(":80".into())), '?');
            json!({"regex": note(writer, Regex::All(vec![Regex::Text(host), end]))})
        }
    }
}

/// Lets the blocks of a delegate's rule lie within the first of its root.
pub fn narrow(writer: &mut Writer<'_>, root: Option<&Value>, rule: &mut Value) {
    let Some(root) = root.and_then(|blocks| blocks[0].as_object()) else { return };
    for block in rule["match"].as_array_mut().into_iter().flatten() {
        let Value::Object(block) = block else { continue };
        for (field, outer) in root {
            let inner = match outer["prefix"].as_str().filter(|_| field == "uri") {
                Some(prefix) => match writer.rng.below(4) {
                    0 => json!({"exact": format!("{prefix}b")}),
                    1 => json!({"prefix": format!("{prefix}/")}),
                    2 => outer.clone(),
                    _ => continue,
                },
                None => outer.clone(),
            };
            if writer.rng.chance(30) && field != "ignoreUriCase" {
                block.remove(field);
            } else {
                block.insert(field.clone(), inner);
            }
        }
        if !root.contains_key("ignoreUriCase") {
            block.remove("ignoreUriCase");
        }
    }
}
