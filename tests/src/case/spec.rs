//! `kind: Case` as it is written. Unknown keys are errors.

use base64::Engine as _;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use switchyard_filter::error::At;
use switchyard_filter::read::{Read, mismatch};
use switchyard_filter::record;

record! {
    /// The last document of a case's file.
    pub struct Case {
        /// `switchyard.dev/v1alpha1`.
        api_version: String = "apiVersion" required,
        /// `Case`.
        kind: String = "kind" required,
        /// The case.
        spec: CaseSpec = "spec" required,
    }
}

record! {
    /// A case.
    pub struct CaseSpec {
        /// The rule of `reference/` (or of DESIGN.md) that it pins.
        pins: String = "pins" required,
        /// Which listener decides. Default: the mesh, in the manifests' namespace.
        proxy: ProxySpec = "proxy",
        /// What is sent, and what must be decided of it.
        requests: Vec<RequestSpec> = "requests",
        /// What must be said against the manifests, instead of requests: all of it, in order.
        errors: Vec<ErrorSpec> = "errors",
        /// Hosts that cannot run this case (`native`, `node`, `wasmtime`, `envoy`, `istio`, `plugin`), each with the reason.
        cannot_run: BTreeMap<String, String> = "cannotRun",
    }
}

record! {
    /// A listener.
    pub struct ProxySpec {
        /// `namespace/name` of the Gateway whose listener it is. Default: the mesh.
        gateway: String = "gateway",
        /// The proxy's namespace. Default: that of the manifests.
        namespace: String = "namespace",
        /// The listener's port, where several are generated.
        port: Option<u16> = "port",
    }
}

record! {
    /// A request.
    pub struct RequestSpec {
        /// Default: `GET`.
        method: String = "method",
        /// `scheme://authority/path?query`.
        url: String = "url" required,
        /// The request target, where it is not the path of `url`: `*`, nothing, bytes.
        target: Option<Text> = "target",
        /// Header lines in order, names as they are spelled.
        headers: Vec<HeaderSpec> = "headers",
        /// The trusted downstream address. Default: `127.0.0.1`.
        source_address: String = "sourceAddress",
        /// Fields of the decision (`switchyard explain --format json`) and `upstreamHeaders`, `requestHeadersAbsent`.
        expect: Fields = "expect",
        /// The status with which Envoy itself answers before any filter sees the request.
        envoy_answers: Option<u16> = "envoyAnswers",
    }
}

record! {
    /// An error, as `switchyard check` tells it.
    pub struct ErrorSpec {
        /// The field below `spec`; empty for the file as a whole.
        field: String = "field",
        /// The message.
        message: String = "message" required,
    }
}

/// Bytes: a text, `{base64: …}`, or `{repeat: text, times: n}`, which may have something `before` it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Text(pub Vec<u8>);

record! {
    /// The long forms of a text.
    pub struct LongText {
        /// Any bytes.
        base64: Option<String> = "base64",
        /// Stands before what is repeated.
        before: String = "before",
        /// What is repeated.
        repeat: Option<String> = "repeat",
        /// How often.
        times: u32 = "times",
    }
}

impl Read for Text {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        if let Some(text) = value.as_str() {
            return Some(Self(text.into()));
        }
        if !value.is_object() {
            at.error(mismatch("a string, `{base64: …}` or `{repeat: …, times: …}`", value));
            return None;
        }
        let long = LongText::read(value, at)?;
        match (&long.base64, &long.repeat) {
            (Some(base64), None) => match base64::engine::general_purpose::STANDARD.decode(base64) {
                Ok(bytes) => Some(Self(bytes)),
                Err(error) => {
                    at.field("base64", |at| at.error(format!("`{base64}` is no base64: {error}")));
                    None
                }
            },
            (None, Some(repeat)) => {
                let repeated = repeat.repeat(usize::try_from(long.times).unwrap_or(usize::MAX));
                Some(Self([long.before.as_bytes(), repeated.as_bytes()].concat()))
            }
            _ => {
                at.error("write one of `base64` and `repeat`");
                None
            }
        }
    }
}

/// A header line: `[name, value]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HeaderSpec {
    /// The name as it is spelled.
    pub name: String,
    /// The value.
    pub value: Text,
}

impl Read for HeaderSpec {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let Some([name, text]) = value.as_array().map(Vec::as_slice) else {
            at.error(mismatch("a list of name and value", value));
            return None;
        };
        let name = at.index(0, |at| String::read(name, at));
        let value = at.index(1, |at| Text::read(text, at));
        Some(Self { name: name?, value: value? })
    }
}

/// What a request's decision must be: only the fields that are named count.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Fields(pub Map<String, Value>);

/// Fields that can be expected, and of what kind they are.
const FIELDS: [(&str, Kind); 22] = [
    ("virtualService", Kind::Text),
    ("rule", Kind::Text),
    ("action", Kind::Text),
    ("cluster", Kind::Text),
    ("host", Kind::Text),
    ("subset", Kind::Text),
    ("port", Kind::Number),
    ("path", Kind::Text),
    ("authority", Kind::Text),
    ("tags", Kind::Texts),
    ("requestHeaders", Kind::Texts),
    ("removedHeaders", Kind::Names),
    ("responseHeaders", Kind::Lines),
    ("removedResponseHeaders", Kind::Names),
    ("timeoutMs", Kind::Number),
    ("retries", Kind::Object),
    ("reply", Kind::Object),
    ("fault", Kind::Object),
    ("mirrors", Kind::Names),
    // Seen where the decision itself is (natively, in Node): what comes of them is seen elsewhere.
    ("chances", Kind::Objects),
    // What the next hop gets, whatever set it; `null` for a header that must not be there.
    ("upstreamHeaders", Kind::Texts),
    ("requestHeadersAbsent", Kind::Names),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Texts,
    Lines,
    Object,
    Objects,
    Names,
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        let text = |value: &Value| value.is_string();
        match (self, value) {
            (Self::Text | Self::Number | Self::Object, Value::Null)
            | (Self::Text, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Object, Value::Object(_)) => true,
            (Self::Texts, Value::Object(texts)) => texts.values().all(|value| text(value) || value.is_null()),
            (Self::Objects, Value::Array(objects)) => objects.iter().all(Value::is_object),
            (Self::Names, Value::Array(names)) => names.iter().all(text),
            (Self::Lines, Value::Array(lines)) => {
                lines.iter().all(|line| line.as_array().is_some_and(|line| line.len() == 2 && line.iter().all(text)))
            }
            _ => false,
        }
    }
}

impl Read for Fields {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let Value::Object(fields) = value else {
            at.error(mismatch("an object", value));
            return None;
        };
        let before = at.count();
        switchyard_filter::read::unknown_fields(fields, &FIELDS.map(|(name, _)| name), &[], &[], at);
        for (name, kind) in FIELDS {
            if fields.get(name).is_some_and(|value| !kind.fits(value)) {
                at.field(name, |at| at.error("is no value that this field can have"));
            }
        }
        (at.count() == before).then(|| Self(fields.clone()))
    }
}
