//! By what hosts of destinations are chosen (istio.md 1.17).

use crate::document::{Document, PortHash, StickyBy};
use crate::error::At;
use crate::split::Subject;
use crate::tag::tag_of;

/// Every destination whose load balancing hashes, in order of the host.
pub struct Hashes<'a>(Vec<Hashed<'a>>);

struct Hashed<'a> {
    /// In lower case.
    host: String,
    /// Empty: all of the host.
    subset: &'a str,
    /// None: all of its ports.
    port: Option<u16>,
    subject: Subject,
}

impl<'a> Hashes<'a> {
    /// Compiles what services and their subsets hash by.
    pub fn new(document: &'a Document, tags: &[Box<str>], at: &mut At) -> Self {
        let mut all = Vec::new();
        at.field("services", |at| {
            for (index, service) in document.services.iter().enumerate() {
                at.index(index, |at| {
                    let host = &service.host;
                    compile(host, "", service.hash.as_ref(), &service.port_hashes, tags, &mut all, at);
                    at.field("subsets", |at| {
                        for (index, subset) in service.subsets.iter().enumerate() {
                            let (hash, ports) = (subset.hash.as_ref(), &subset.port_hashes);
                            at.index(index, |at| compile(host, &subset.name, hash, ports, tags, &mut all, at));
                        }
                    });
                });
            }
        });
        all.sort_unstable_by(|a, b| a.host.cmp(&b.host));
        Self(all)
    }

    /// What a destination is hashed by: its subset comes before all of the host, and the port before all of them, but only
    /// where the rule names the port (`HashForHTTPDestination`).
    pub fn find(&self, host: &str, subset: &str, port: Option<u16>) -> Option<&Subject> {
        let start = self.0.partition_point(|hashed| *hashed.host < *host);
        let of_host = self.0.iter().skip(start).take_while(|hashed| hashed.host == host);
        let fits = of_host.filter(|hashed| {
            (hashed.subset.is_empty() || hashed.subset == subset) && (hashed.port.is_none() || hashed.port == port)
        });
        fits.max_by_key(|hashed| (!hashed.subset.is_empty(), hashed.port.is_some())).map(|hashed| &hashed.subject)
    }
}

fn compile<'a>(
    host: &str,
    subset: &'a str,
    hash: Option<&StickyBy>,
    ports: &[PortHash],
    tags: &[Box<str>],
    all: &mut Vec<Hashed<'a>>,
    at: &mut At,
) {
    let mut add = |port, hash, at: &mut At| {
        let subject = at.field("hash", |at| Subject::compile_hash(hash, |name| tag_of(tags, name), at));
        let host = host.to_ascii_lowercase();
        all.extend(subject.map(|subject| Hashed { host, subset, port, subject }));
    };
    if let Some(hash) = hash {
        add(None, hash, at);
    }
    at.field("portHashes", |at| {
        for (index, one) in ports.iter().enumerate() {
            at.index(index, |at| {
                if ports.iter().take(index).any(|other| other.port == one.port) {
                    at.field("port", |at| at.error(format!("the port `{}` is listed twice", one.port)));
                }
                add(Some(one.port), &one.hash, at);
            });
        }
    });
}
