//! Where names are, for the compiler's tables: one kind of map for all of them, since each is 4 KB of the .wasm.

use std::collections::BTreeMap;

/// Places by name.
#[derive(Default)]
pub struct Places(BTreeMap<String, usize>);

impl Places {
    /// The place of a name, which is `place` where it has none yet; and whether it is new.
    pub fn enter(&mut self, name: String, place: usize) -> (usize, bool) {
        let mut is_new = false;
        let found = *self.0.entry(name).or_insert_with(|| {
            is_new = true;
            place
        });
        (found, is_new)
    }

    /// Gives a name another place.
    pub fn set(&mut self, name: String, place: usize) {
        self.0.insert(name, place);
    }

    /// The place of a name.
    pub fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// All names in order, with their places.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(name, place)| (name.as_str(), *place))
    }
}
