//! What no request reaches, by proof, and a request that reaches the rest.

mod alphabet;
mod language;
mod search;
mod walk;
