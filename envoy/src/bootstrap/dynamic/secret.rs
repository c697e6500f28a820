//! Certificates as secrets in files (SDS), so that renewed ones reach a running Envoy: it reads a file that a listener or
//! a cluster names once, and those of a secret again when something moves into their folder, as Kubernetes swaps `..data`
//! and `mv` replaces a file (`SdsApi::onConfigUpdate`; seen in 1.36.2 and 1.40.0).
//!
//! A file that is written in place is no move: the digest of the content is in the secret's name, so that the next call
//! makes it live.

use super::source::{Kind, Source};
use super::{name, source_of};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Up to how many are files. Each takes two inotify instances, one for the secret and one for what it names, twice that
/// in a change, beside those of endpoints.
const MOST: usize = 8;

/// Takes certificates out of clusters and listeners. Of more than can be watched the digest stays there alone.
pub fn split(clusters: &mut [Value], listeners: &mut [Value], folder: &Path) -> (Vec<Source>, Vec<Source>) {
    let mut files = Files::default();
    let mut all = BTreeSet::new();
    for value in clusters.iter_mut().chain(listeners.iter_mut()) {
        each(value, &mut |context| all.extend(files.secrets(context).into_iter().map(|secret| secret.name)));
    }
    if all.len() > MOST {
        let chains = listeners.iter_mut().filter_map(|listener| listener.get_mut("filter_chains")?.as_array_mut());
        for value in clusters.iter_mut().chain(chains.flatten()) {
            files.mark(value);
        }
        return (vec![], vec![]);
    }
    let mut known = BTreeSet::new();
    let mut take = |values: &mut [Value], kind| {
        let mut sources = vec![];
        for value in values {
            each(value, &mut |context| {
                for secret in files.secrets(context) {
                    if known.insert(secret.name.clone()) {
                        sources.push(secret.source(kind));
                    }
                }
                files.replace(context, folder);
            });
        }
        sources
    };
    (take(clusters, Kind::ClusterSecret), take(listeners, Kind::ListenerSecret))
}

struct Secret {
    name: String,
    field: &'static str,
    value: Value,
}

impl Secret {
    fn source(self, kind: Kind) -> Source {
        let resource = json!({"name": self.name, self.field: self.value});
        Source::new(kind, file(&self.name), format!("sds.{}", self.name), vec![resource])
    }
}

fn file(name: &str) -> String {
    name::file("secret", name)
}

/// Digests of files that were read already.
#[derive(Default)]
struct Files(BTreeMap<String, u64>);

impl Files {
    /// What a `CommonTlsContext` names: certificates, then authorities.
    fn secrets(&mut self, context: &Map<String, Value>) -> Vec<Secret> {
        let certificates = context.get("tls_certificates").and_then(Value::as_array).into_iter().flatten();
        let mut secrets: Vec<_> =
            certificates.map(|one| self.secret("tls_certificate", "certificate_chain", one.clone())).collect();
        if let Some(value) = context.get("validation_context").and_then(authorities) {
            secrets.push(self.secret("validation_context", "trusted_ca", value));
        }
        secrets
    }

    /// Named after its first file: `<folder>-<file>-<digest>`.
    fn secret(&mut self, field: &'static str, first: &str, value: Value) -> Secret {
        let path = value.get(first).and_then(|source| source.get("filename")).and_then(Value::as_str);
        let path = Path::new(path.unwrap_or_default());
        let part = |path: Option<&Path>| {
            path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let digest = self.digest(&value);
        let name = format!("{}-{}-{digest:016x}", part(path.parent()), part(Some(path)));
        Secret { name, field, value }
    }

    /// Of the value, and of the content of the files that it names.
    fn digest(&mut self, value: &Value) -> u64 {
        let mut text = value.to_string();
        let sources = value.as_object().into_iter().flat_map(Map::values);
        for name in sources.filter_map(|source| source.get("filename")?.as_str()) {
            let known = self.0.entry(name.to_owned());
            let content = *known.or_insert_with(|| std::fs::read(name).map_or(0, |bytes| xxh3_64(&bytes)));
            let _ = write!(text, " {content:016x}");
        }
        xxh3_64(text.as_bytes())
    }

    fn replace(&mut self, context: &mut Map<String, Value>, folder: &Path) {
        let from = |secret: &Secret| json!({"name": secret.name, "sds_config": source_of(&folder.join(file(&secret.name)), None)});
        let (certificates, authorities): (Vec<_>, Vec<_>) =
            self.secrets(context).into_iter().partition(|secret| secret.field == "tls_certificate");
        if !certificates.is_empty() {
            context.remove("tls_certificates");
            let configs: Vec<_> = certificates.iter().map(from).collect();
            context.insert("tls_certificate_sds_secret_configs".into(), configs.into());
        }
        if let Some(secret) = authorities.first() {
            let mut own = context.remove("validation_context").unwrap_or_default();
            if let (Some(own), Some(taken)) = (own.as_object_mut(), secret.value.as_object()) {
                own.retain(|field, _| !taken.contains_key(field));
            }
            let combined =
                json!({"default_validation_context": own, "validation_context_sds_secret_config": from(secret)});
            context.insert("combined_validation_context".into(), combined);
        }
    }

    /// Says of a cluster or a filter chain what its files hold: another content makes another one of it.
    fn mark(&mut self, value: &mut Value) {
        let mut names = vec![];
        each(value, &mut |context| names.extend(self.secrets(context).into_iter().map(|secret| secret.name)));
        if !names.is_empty() {
            value["metadata"]["filter_metadata"]["switchyard"]["certificates"] = names.into();
        }
    }
}

/// Those of a validation context.
fn authorities(context: &Value) -> Option<Value> {
    let fields = context.as_object()?;
    let files = ["trusted_ca", "crl"].into_iter().filter_map(|name| Some((name.to_owned(), fields.get(name)?.clone())));
    let files: Map<_, _> = files.collect();
    (!files.is_empty()).then_some(Value::Object(files))
}

const CONTEXT: &str = "common_tls_context";

/// Each `CommonTlsContext` below a value.
fn each(value: &mut Value, found: &mut dyn FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Object(context) if name == CONTEXT => found(context),
                    field => each(field, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn cluster(folder: &Path, name: &str) -> Value {
        let file = |file: &str| json!({"filename": folder.join(name).join(file).display().to_string()});
        let context = json!({
            "tls_certificates": [{"certificate_chain": file("tls.crt"), "private_key": file("tls.key")}],
            "validation_context": {"trusted_ca": file("ca.crt"), "match_typed_subject_alt_names": ["a"]},
        });
        json!({"transport_socket": {"typed_config": {"common_tls_context": context}}})
    }

    fn write(folder: &Path, name: &str, content: &str) {
        std::fs::create_dir_all(folder.join(name)).unwrap();
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            std::fs::write(folder.join(name).join(file), format!("{content} {file}")).unwrap();
        }
    }

    #[test]
    fn certificates_are_secrets_of_their_own_once() {
        let certs = TempDir::new().unwrap();
        write(certs.path(), "shop", "old");
        let made = || {
            let mut clusters = [cluster(certs.path(), "shop"), cluster(certs.path(), "shop")];
            let mut listeners = [cluster(certs.path(), "shop")];
            let (of_clusters, of_listeners) = split(&mut clusters, &mut listeners, Path::new("/live"));
            assert!(of_listeners.is_empty() && clusters[0] == clusters[1] && clusters[0] == listeners[0]);
            (of_clusters, clusters[0].pointer("/transport_socket/typed_config/common_tls_context").unwrap().clone())
        };
        let (sources, context) = made();
        let [own, authorities] = sources.as_slice() else { panic!("{sources:?}") };
        assert!(own.file.starts_with("secret-shop-tls.crt-"), "{}", own.file);
        let sds = &context["tls_certificate_sds_secret_configs"][0];
        assert_eq!(sds["sds_config"]["path_config_source"]["path"], format!("/live/{}", own.file));
        assert_eq!(own.stat, format!("sds.{}", sds["name"].as_str().unwrap()));
        let key = &own.resources()[0]["tls_certificate"]["private_key"]["filename"];
        assert!(key.as_str().unwrap().ends_with("/shop/tls.key"), "{key}");
        let combined = &context["combined_validation_context"];
        assert_eq!(combined["default_validation_context"], json!({"match_typed_subject_alt_names": ["a"]}));
        assert_eq!(combined["validation_context_sds_secret_config"]["name"], authorities.resources()[0]["name"]);
        assert!(context.get("tls_certificates").is_none() && context.get("validation_context").is_none());
        // Another content is another secret.
        write(certs.path(), "shop", "new");
        assert_ne!(made().0[0].file, own.file);
    }

    #[test]
    fn of_more_than_can_be_watched_the_digests_stay() {
        let certs = TempDir::new().unwrap();
        let names: Vec<_> = (0..5).map(|number| format!("shop-{number}")).collect();
        for name in &names {
            write(certs.path(), name, "old");
        }
        let made = || {
            let mut clusters: Vec<_> = names.iter().map(|name| cluster(certs.path(), name)).collect();
            let mut listeners = [json!({"filter_chains": [cluster(certs.path(), "shop-0")]})];
            assert_eq!(split(&mut clusters, &mut listeners, Path::new("/live")), (vec![], vec![]));
            (clusters, listeners)
        };
        let before = made();
        write(certs.path(), "shop-0", "new");
        let after = made();
        assert!(before.0[0] != after.0[0] && before.0[1] == after.0[1] && before.1 != after.1);
        let chain = &after.1[0]["filter_chains"][0];
        assert_eq!(chain["metadata"], after.0[0]["metadata"]);
        assert!(chain["transport_socket"]["typed_config"]["common_tls_context"]["tls_certificates"].is_array());
    }
}
