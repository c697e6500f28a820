//! What a plain scalar is: go-yaml's `resolve`, as sigs.k8s.io/yaml uses it.

use serde_json::{Number, Value};

/// Reads an unquoted scalar. `Err` when it is a number that JSON does not have.
pub fn resolve(text: &str) -> Result<Value, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Ok(Value::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(Value::Bool(false));
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return Err("is no number that JSON has"),
        _ => {}
    }
    // A dot first: only a float, and underscores are not numbers there. Dates stay strings.
    let number = match text.as_bytes().first() {
        Some(b'.') => float(text)?,
        Some(b'+' | b'-' | b'0'..=b'9') => {
            let digits = text.replace('_', "");
            match integer(&digits) {
                Some(number) => Some(number),
                None => float(&digits)?,
            }
        }
        _ => None,
    };
    Ok(number.map_or_else(|| Value::String(text.into()), Value::Number))
}

/// Go's `ParseInt(text, 0, 64)`, then `ParseUint`: `0x`, `0o`, `0b` and a leading `0` (octal).
fn integer(text: &str) -> Option<Number> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", text.get(1..)?),
        b'+' => ("", text.get(1..)?),
        _ => ("", text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    match i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        Ok(number) => Some(number.into()),
        Err(_) if text.starts_with(['-', '+']) => None,
        Err(_) => u64::from_str_radix(digits, radix).ok().map(Into::into),
    }
}

/// go-yaml's `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`.
fn float(text: &str) -> Result<Option<Number>, &'static str> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) || !exponent_fits {
        return Ok(None);
    }
    let Ok(value) = text.parse::<f64>() else { return Ok(None) };
    Number::from_f64(value).map(Some).ok_or("is no number that JSON has")
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn scalars_are_what_kubernetes_reads() {
        let table = [
            ("yes", json!(true)),
            ("y", json!(true)),
            ("On", json!(true)),
            ("TRUE", json!(true)),
            ("n", json!(false)),
            ("NO", json!(false)),
            ("off", json!(false)),
            ("False", json!(false)),
            ("yEs", json!("yEs")),
            ("~", json!(null)),
            ("", json!(null)),
            ("null", json!(null)),
            ("nUll", json!("nUll")),
            ("12", json!(12)),
            ("+12", json!(12)),
            ("-12", json!(-12)),
            ("1_000", json!(1000)),
            ("0x1F", json!(31)),
            ("-0x1f", json!(-31)),
            ("0o17", json!(15)),
            ("017", json!(15)),
            ("0b101", json!(5)),
            ("08", json!(8.0)),
            ("0", json!(0)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616.0_f64)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1.5", json!(1.5)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("-1.5e-3", json!(-0.0015)),
            ("1:30", json!("1:30")),
            ("10.20.0.0/16", json!("10.20.0.0/16")),
            ("1.2.3", json!("1.2.3")),
            ("5s", json!("5s")),
            ("0.5s", json!("0.5s")),
            ("0x", json!("0x")),
            ("-", json!("-")),
            (".", json!(".")),
            ("1e", json!("1e")),
            ("2024-05-01T10:00:00Z", json!("2024-05-01T10:00:00Z")),
            ("v1", json!("v1")),
            ("*.example.com", json!("*.example.com")),
        ];
        for (text, value) in table {
            assert_eq!(resolve(text), Ok(value), "{text}");
        }
        for text in [".inf", "-.INF", ".nan", "1e999"] {
            assert_eq!(resolve(text), Err("is no number that JSON has"), "{text}");
        }
    }
}
