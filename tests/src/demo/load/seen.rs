//! What an upstream received.

use crate::harness::Response;

/// The upstream that answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// The version in production.
    V1,
    /// The canary.
    V2,
}

/// A request as the upstream that answered it received it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Which one answered.
    pub version: Version,
    /// Path and query.
    pub path: String,
    /// The values of `user-type` in the order of arrival, whatever the spelling: `User_Type` is the same to CGI and WSGI.
    pub tags: Vec<String>,
}

impl Seen {
    /// Reads the response of an echo. Errors: another status than 200, not an answer of ours.
    pub fn read(response: &Response) -> Result<Self, String> {
        if response.status != 200 {
            return Err(format!("status {}: {}", response.status, response.text()));
        }
        let said = response.json()?;
        let read = || {
            let version = match said["upstream"].as_str()? {
                "v1" => Version::V1,
                "v2" => Version::V2,
                _ => return None,
            };
            let path = said["path"].as_str()?.to_owned();
            let mut tags = Vec::new();
            for pair in said["headers"].as_array()? {
                if pair[0].as_str()?.replace('_', "-") == "user-type" {
                    tags.push(pair[1].as_str()?.to_owned());
                }
            }
            Some(Self { version, path, tags })
        };
        read().ok_or_else(|| format!("not what an upstream says: {said}"))
    }

    /// Whether the one tag that arrived is this.
    pub fn is_tagged(&self, value: &str) -> bool {
        self.tags.len() == 1 && self.tags[0] == value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.into() }
    }

    #[test]
    fn every_spelling_of_the_tag_is_seen() {
        let body = r#"{"upstream":"v2","path":"/a","headers":[["user-type","x"],["user_type","y"],["user","z"]]}"#;
        let seen = Seen::read(&response(200, body)).unwrap();
        assert_eq!(seen, Seen { version: Version::V2, path: "/a".into(), tags: vec!["x".into(), "y".into()] });
        assert!(!seen.is_tagged("x"));
    }

    #[test]
    fn what_is_no_answer_of_an_upstream_is_lost() {
        assert_eq!(Seen::read(&response(503, "no healthy")).unwrap_err(), "status 503: no healthy");
        assert!(Seen::read(&response(200, "{}")).unwrap_err().starts_with("not what an upstream says"));
    }
}
