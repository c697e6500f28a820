//! A request, byte for byte.

/// A request as it goes over the wire: nothing is checked, reordered or respelled.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// The request target: `/path?query`, `*`, `host:port` for CONNECT, or nothing.
    pub target: Vec<u8>,
    /// Names as spelled and values as bytes, in the order of sending, repeats included.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; its `content-length` is added when it is not empty and no header tells its length.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without body whose only header is `Host`.
    pub fn new(method: impl Into<String>, host: impl Into<Vec<u8>>, target: impl Into<Vec<u8>>) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            headers: vec![("Host".into(), host.into())],
            body: Vec::new(),
        }
    }

    /// The request with one header more, after those that it has.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The request with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// What is sent.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.target.len() + self.body.len() + 512);
        bytes.extend_from_slice(self.method.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(&self.target);
        bytes.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if !self.body.is_empty() && !self.tells_length() {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn tells_length(&self) -> bool {
        let telling = ["content-length", "transfer-encoding"];
        self.headers.iter().any(|(name, _)| telling.iter().any(|known| name.eq_ignore_ascii_case(known)))
    }
}
