//! JSON to the types of a document, with every error at once.
//!
//! serde stops at the first field that it does not know; a person who fixes a policy wants to see all of them. So
//! documents are parsed to a `serde_json::Value` first, and [`Read`] walks it. Fields that nobody knows are errors with
//! the nearest known name, fields whose work is not built yet are errors by name: nothing is ever ignored.

use crate::error::At;
use serde_json::Value;
use std::collections::BTreeMap;

/// A type that can be read from JSON.
pub trait Read: Sized {
    /// Reads `value`; `None` when it is wrong, which has been noted in `at`.
    fn read(value: &Value, at: &mut At) -> Option<Self>;
}

/// Reads a whole value from the root.
///
/// # Errors
/// Every error, each with its path from the root of `value`.
pub fn read<T: Read>(value: &Value) -> Result<T, Vec<crate::Error>> {
    match read_on(value) {
        (Some(seen), errors) if errors.is_empty() => Ok(seen),
        (_, errors) => Err(errors),
    }
}

/// Reads a whole value from the root, and what is there of it in spite of errors: fields that nobody knows are left out.
/// So what comes after can tell what else is wrong; a value with any error must not be used for anything else.
pub fn read_on<T: Read>(value: &Value) -> (Option<T>, Vec<crate::Error>) {
    let mut at = At::root();
    let seen = T::read(value, &mut at);
    (seen, at.into_errors())
}

/// What is wrong with a value of another kind than expected, and what to do about it.
pub fn mismatch(expected: &str, found: &Value) -> String {
    let quote = if expected == "a string" { ": quote it" } else { "" };
    match found {
        Value::Null => format!("expected {expected}, found nothing"),
        Value::Bool(b) if quote.is_empty() => format!("expected {expected}, found `{b}`"),
        Value::Bool(b) => {
            format!(
                "expected {expected}, found `{b}`{quote} (YAML reads unquoted yes, no, on, off, y and n as booleans)"
            )
        }
        Value::Number(n) => format!("expected {expected}, found the number `{n}`{quote}"),
        Value::String(s) => format!("expected {expected}, found the string `{s}`"),
        Value::Array(_) => format!("expected {expected}, found a list"),
        Value::Object(_) => format!("expected {expected}, found an object"),
    }
}

impl Read for String {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let text = value.as_str();
        if text.is_none() {
            at.error(mismatch("a string", value));
        }
        text.map(Into::into)
    }
}

impl Read for bool {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let flag = value.as_bool();
        if flag.is_none() {
            at.error(mismatch("`true` or `false`", value));
        }
        flag
    }
}

/// A whole number. A pluginConfig travels as a protobuf Struct, whose numbers are all doubles (istio.md 4.2), so `100.0`
/// is `100`.
impl Read for i64 {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        // 2^53: above it a double no longer holds every whole number.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, so the cast is exact")]
        let number = value
            .as_i64()
            .or_else(|| value.as_f64().filter(|f| f.abs() <= EXACT && f.fract().abs() == 0.0).map(|f| f as i64));
        if number.is_none() {
            at.error(mismatch("a whole number", value));
        }
        number
    }
}

/// A finite number.
impl Read for f64 {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let number = value.as_f64().filter(|number| number.is_finite());
        if number.is_none() {
            at.error(mismatch("a number", value));
        }
        number
    }
}

macro_rules! read_narrow {
    ($($ty:ty),*) => {$(
        impl Read for $ty {
            fn read(value: &Value, at: &mut At) -> Option<Self> {
                let wide = i64::read(value, at)?;
                let narrow = <$ty>::try_from(wide).ok();
                if narrow.is_none() {
                    at.error(format!("`{wide}` is out of range: {} to {}", <$ty>::MIN, <$ty>::MAX));
                }
                narrow
            }
        }
    )*};
}
read_narrow!(i32, u16, u32);

/// `null` is an absent value.
impl<T: Read> Read for Option<T> {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::read(value, at).map(Some) }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let Value::Array(items) = value else {
            at.error(mismatch("a list", value));
            return None;
        };
        let mut all = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            all.extend(at.index(index, |at| T::read(item, at)));
        }
        (all.len() == items.len()).then_some(all)
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
        let Value::Object(entries) = value else {
            at.error(mismatch("an object", value));
            return None;
        };
        let mut all = Self::new();
        for (key, entry) in entries {
            if let Some(entry) = at.field(key, |at| T::read(entry, at)) {
                all.insert(key.clone(), entry);
            }
        }
        (all.len() == entries.len()).then_some(all)
    }
}

/// Whether a field says nothing, so that it need not be written.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Notes every field of `entries` that is not among `known`: by name where its work is `later`'s, with the reason where it
/// is `refused`, else with the nearest known name.
pub fn unknown_fields(
    entries: &serde_json::Map<String, Value>,
    known: &[&str],
    later: &[&str],
    refused: &[(&str, &str)],
    at: &mut At,
) {
    for key in entries.keys() {
        if known.contains(&key.as_str()) {
            continue;
        }
        if later.contains(&key.as_str()) {
            at.field(key, |at| at.error(format!("`{key}` is not supported yet")));
            continue;
        }
        if let Some((_, reason)) = refused.iter().find(|(name, _)| name == key) {
            at.field(key, |at| at.error(*reason));
            continue;
        }
        let nearest = known
            .iter()
            .map(|name| (strsim::osa_distance(&key.to_ascii_lowercase(), &name.to_ascii_lowercase()), name))
            .min()
            .filter(|(distance, name)| *distance <= (name.len() / 4).saturating_add(1));
        let message = match nearest {
            Some((_, name)) => format!("unknown field `{key}`, did you mean `{name}`?"),
            None => format!("unknown field `{key}`, expected one of {}", list(known)),
        };
        at.field(key, |at| at.error(message));
    }
}

/// Names in backticks, joined by commas.
pub fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Declares a struct of a document: its fields with their JSON names (`required` after the name where there must be a
/// value), after `later` the fields that are known but not built yet, after `refused` those that never will be, each with
/// the reason. A field that is absent or `null` has its type's default.
#[macro_export]
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $record:ident {
            $( $(#[$field_meta:meta])* $field:ident: $ty:ty = $name:literal $($required:ident)?, )*
        }
        $(later { $($later:literal),* $(,)? })?
        $(refused { $($refused:literal = $reason:expr),* $(,)? })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, ::serde::Serialize)]
        #[cfg_attr(feature = "schema", derive(::schemars::JsonSchema), schemars(deny_unknown_fields))]
        pub struct $record {
            $(
                $(#[$field_meta])*
                #[serde(rename = $name, skip_serializing_if = "switchyard_filter::read::is_default")]
                #[cfg_attr(all(feature = "schema" $(, $required)?), schemars(default))]
                pub $field: $ty,
            )*
        }

        impl $crate::read::Read for $record {
            fn read(value: &::serde_json::Value, at: &mut $crate::error::At) -> Option<Self> {
                let ::serde_json::Value::Object(entries) = value else {
                    at.error($crate::read::mismatch("an object", value));
                    return None;
                };
                $crate::read::unknown_fields(entries, &[$($name),*], &[$($($later),*)?], &[$($(($refused, $reason)),*)?], at);
                $(
                    let $field: Option<$ty> = match entries.get($name) {
                        None | Some(::serde_json::Value::Null) => {
                            $crate::record!(@absent at, $name $(, $required)?)
                        }
                        Some(value) => at.field($name, |at| $crate::read::Read::read(value, at)),
                    };
                )*
                Some(Self { $($field: $field?),* })
            }
        }
    };
    (@absent $at:ident, $name:literal) => {
        Some(Default::default())
    };
    (@absent $at:ident, $name:literal, required) => {{
        $at.error(concat!("`", $name, "` is missing"));
        None
    }};
}

/// Declares an enum of a document whose values are plain names; the first is the default.
#[macro_export]
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $choice:ident {
            $(#[$first_meta:meta])* $first:ident = $first_name:literal,
            $( $(#[$variant_meta:meta])* $variant:ident = $name:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ::serde::Serialize)]
        #[cfg_attr(feature = "schema", derive(::schemars::JsonSchema))]
        pub enum $choice {
            $(#[$first_meta])*
            #[default]
            #[serde(rename = $first_name)]
            $first,
            $( $(#[$variant_meta])* #[serde(rename = $name)] $variant, )*
        }

        impl $crate::read::Read for $choice {
            fn read(value: &::serde_json::Value, at: &mut $crate::error::At) -> Option<Self> {
                match value.as_str() {
                    Some($first_name) => Some(Self::$first),
                    $( Some($name) => Some(Self::$variant), )*
                    _ => {
                        let names = $crate::read::list(&[$first_name $(, $name)*]);
                        at.error($crate::read::mismatch(&format!("one of {names}"), value));
                        None
                    }
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    record! {
        /// A thing.
        pub struct Thing {
            /// Its name.
            name: String = "name" required,
            /// How many.
            count: i32 = "count",
            /// Parts.
            parts: Vec<Thing> = "parts",
        }
        later { "colour" }
    }

    fn errors(value: &Value) -> Vec<String> {
        read::<Thing>(value).expect_err("wrong").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_error_is_told_with_its_path() {
        let seen =
            errors(&json!({"cuont": 1, "colour": "red", "parts": [{"name": 3}, {"name": "a", "count": 1.5}, null]}));
        assert_eq!(
            seen,
            [
                "colour: `colour` is not supported yet",
                "cuont: unknown field `cuont`, did you mean `count`?",
                "`name` is missing",
                "parts[0].name: expected a string, found the number `3`: quote it",
                "parts[1].count: expected a whole number, found the number `1.5`",
                "parts[2]: expected an object, found nothing",
            ]
        );
    }

    #[test]
    fn a_boolean_in_place_of_a_string_is_told_how_yaml_made_it() {
        assert_eq!(
            errors(&json!({"name": true})),
            [
                "name: expected a string, found `true`: quote it (YAML reads unquoted yes, no, on, off, y and n as booleans)"
            ]
        );
    }

    #[test]
    fn doubles_of_a_struct_are_whole_numbers_and_null_is_absent() {
        let thing: Thing = read(&json!({"name": "a", "count": 100.0, "parts": null})).expect("right");
        assert_eq!(thing, Thing { name: "a".into(), count: 100, parts: vec![] });
    }

    #[test]
    fn what_is_written_reads_back() {
        let thing = Thing { name: "a".into(), count: 2, parts: vec![Thing { name: "b".into(), ..Thing::default() }] };
        let value = serde_json::to_value(&thing).expect("json");
        assert_eq!(value, json!({"name": "a", "count": 2, "parts": [{"name": "b"}]}));
        assert_eq!(read::<Thing>(&value), Ok(thing));
    }
}
