//! From Istio's manifests to the filter's configuration and to Envoy's.
//!
//! [`source`] and [`yaml`] read text, keeping the place of every value; [`manifest`] knows which documents there are;
//! [`diagnostic`] says what is wrong with them, at file, line and column. No decision is made here, and nothing can be
//! written that the filter's own compiler refuses, because it is called.

pub mod analyse;
pub mod bootstrap;
pub mod diagnostic;
pub mod istio;
pub mod manifest;
pub mod source;
pub mod translate;
pub mod yaml;
