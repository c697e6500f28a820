//! What a rule asks of a request. Each matcher is compiled once, and answers with a [`Truth`](crate::truth::Truth).

pub mod header;
pub mod host;
pub mod path;
pub mod peer;
pub mod query;
pub mod regex;
pub mod source_ip;
pub mod text;
