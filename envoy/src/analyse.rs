//! What `check` looks for in manifests that are right: rules that no request reaches, by proof, with a request that reaches
//! each of the others; and what is allowed and seldom meant.
//!
//! Conditions are compared as languages, by the automata that the filter itself matches with, over the requests that can
//! come: a path begins with `/` and holds neither `?` nor `#` (what has another, `OPTIONS *` and CONNECT, Envoy answers or
//! no `uri` takes), a tag says what it can say. What takes too long is not decided, and that is counted.

mod alphabet;
mod cover;
mod index;
mod language;
mod lint;
mod point;
mod reach;
mod region;
mod search;
mod site;
mod walk;

pub use reach::{Example, Found, Hider, Reach, Vain};

use crate::diagnostic::{Diagnostic, sort};
use crate::translate::Model;
use search::Budget;

/// What is found in a model.
#[derive(Debug)]
pub struct Analysis {
    /// What to look at, though nothing is wrong, in order of place; the model's own warnings too.
    pub warnings: Vec<Diagnostic>,
    /// Every match block that a listener serves, in order of place.
    pub reach: Vec<Reach>,
}

impl Analysis {
    /// Looks at everything.
    ///
    /// # Errors
    /// What [`Model::listener`] says of a listener; the model has none of it.
    pub fn new(model: &Model<'_>) -> Result<Self, Vec<Diagnostic>> {
        let proxies = model.served();
        let listeners = proxies.iter().map(|proxy| model.listener(proxy)).collect::<Result<Vec<_>, _>>()?;
        let reach = reach::all(&listeners, &mut Budget::default());
        let mut warnings = model.warnings().to_vec();
        warnings.extend(reach::warnings(&reach));
        warnings.extend(lint::all(model, &listeners));
        sort(&mut warnings);
        Ok(Self { warnings, reach })
    }

    /// How many match blocks are not decided.
    pub fn undecided(&self) -> usize {
        self.reach.iter().filter(|reach| matches!(reach.found, Found::Undecided)).count()
    }
}

#[cfg(test)]
mod tests;
