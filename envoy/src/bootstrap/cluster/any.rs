//! Messages in an `Any`, and extensions by name.

use serde::Serialize;

/// `google.protobuf.Any`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Any<T> {
    #[serde(rename = "@type")]
    kind: String,
    #[serde(flatten)]
    message: T,
}

impl<T> Any<T> {
    /// A message, by its full name.
    pub fn new(name: &str, message: T) -> Self {
        Self { kind: format!("type.googleapis.com/{name}"), message }
    }
}

/// A message with nothing in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Empty {}

/// `envoy.type.v3.Percent`, and other messages of one number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percent {
    /// 0 to 100.
    pub value: f64,
}
