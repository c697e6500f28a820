//! JSON text to a value, without losing anything.

use serde_json::Value;

/// Parses JSON text in which no object has a key twice: of two, `serde_json` would keep the last and forget the first.
///
/// # Errors
/// What is wrong with it, with line and column.
pub fn parse(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice::<Unique>(text).map(|unique| unique.0).map_err(|e| e.to_string())
}

/// A value in which no object has a key twice.
struct Unique(Value);

impl<'de> serde::Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> serde::de::Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        let mut all = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Unique(Value::Array(all)))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Unique, A::Error> {
        let mut all = serde_json::Map::new();
        while let Some((key, Unique(value))) = entries.next_entry::<String, Unique>()? {
            if all.contains_key(&key) {
                return Err(serde::de::Error::custom(format_args!("`{key}` is there twice")));
            }
            all.insert(key, value);
        }
        Ok(Unique(Value::Object(all)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_told_with_its_place() {
        let text = br#"{"a": [1, -2, 1.5, "x", null, true], "b": {"c": 1, "c": 2}}"#;
        assert_eq!(parse(text), Err("`c` is there twice at line 1 column 58".to_owned()));
        let text = br#"{"a": [1, -2, 1.5, "x", null, true], "b": {"c": 1}}"#;
        assert_eq!(parse(text), Ok(serde_json::from_slice(text).unwrap()));
    }
}
