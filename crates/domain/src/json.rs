//! A JSON document as the client sent it, and the canonical text that makes two of them equal.
//!
//! Stricter than most readers: a key may stand in an object once, and a number keeps its text, so
//! that no amount ever passes through a float.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

/// One JSON value. Objects keep the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(Box<str>),
    /// A string, unescaped.
    String(Box<str>),
    /// An array.
    Array(Vec<Json>),
    /// An object; no key twice.
    Object(Vec<(Box<str>, Json)>),
}

impl Json {
    /// Reads one document and nothing after it.
    ///
    /// # Errors
    /// Not UTF-8, not JSON, deeper than 127 levels, a lone surrogate, or a key twice in an object.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The value of a key, where this is an object that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        members
            .iter()
            .find(|(name, _)| **name == *key)
            .map(|(_, value)| value)
    }

    /// The whole number that this is, be it written `2`, `2.0` or `2e0`, where it fits.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        self.as_scaled(0)
    }

    /// This number times ten to the power of `digits`, where that is a whole number that fits:
    /// `19.99` in units of two digits is 1999.
    #[must_use]
    pub fn as_scaled(&self, digits: u8) -> Option<i64> {
        let Self::Number(text) = self else {
            return None;
        };
        // Nearly every one is written plainly.
        if let (0, Ok(number)) = (digits, text.parse()) {
            return Some(number);
        }
        let scale = i64::from(digits);
        let Decimal {
            negative,
            digits,
            exponent,
        } = Decimal::parse(text)?;
        let zeros = usize::try_from(exponent.checked_add(scale)?)
            .ok()
            .filter(|zeros| *zeros <= 19)?;
        format!(
            "{}{digits}{}",
            if negative { "-" } else { "" },
            "0".repeat(zeros)
        )
        .parse()
        .ok()
    }

    /// The same text for all documents that mean the same: keys sorted, no white space, numbers by
    /// value (`1`, `1.0` and `10e-1` are one).
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = String::with_capacity(128);
        self.write_canonical(&mut text);
        text
    }

    fn write_canonical(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => match Decimal::parse(text) {
                Some(number) => out.push_str(&number.to_string()),
                None => out.push_str(text),
            },
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push('[');
                for item in items {
                    item.write_canonical(out);
                    out.push(',');
                }
                out.push(']');
            }
            Self::Object(members) => {
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_unstable_by_key(|(key, _)| key);
                out.push('{');
                for (key, value) in sorted {
                    write_string(key, out);
                    out.push(':');
                    value.write_canonical(out);
                    out.push(',');
                }
                out.push('}');
            }
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("a string can always be written"));
}

/// A number by value: `digits` without leading or trailing zeros, times ten to the `exponent`.
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// The value of a JSON number; `None` only where its exponent is beyond all reason.
    fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        if trimmed.is_empty() {
            return Some(Self {
                negative: false,
                digits: "0".into(),
                exponent: 0,
            });
        }
        let dropped = i64::try_from(significant.len() - trimmed.len()).ok()?;
        let shifted = i64::try_from(fraction.len()).ok()?;
        let exponent = exponent
            .parse::<i64>()
            .ok()?
            .checked_add(dropped)?
            .checked_sub(shifted)?;
        Some(Self {
            negative,
            digits: trimmed.into(),
            exponent,
        })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}e{}", self.digits, self.exponent)
    }
}

/// How `serde_json` hands over a number with its text: an object with this one key.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string().into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string().into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members: Vec<(Box<str>, Json)> = Vec::new();
        while let Some(key) = entries.next_key::<Box<str>>()? {
            if *key == *NUMBER_TOKEN {
                let text = entries.next_value::<Box<str>>()?;
                serde_json::from_str::<serde_json::Number>(&text).map_err(A::Error::custom)?;
                return Ok(Json::Number(text));
            }
            members.push((key, entries.next_value()?));
        }
        if let Some(key) = repeated_key(&members) {
            return Err(A::Error::custom(format!(
                "the key {key:?} stands twice in one object"
            )));
        }
        Ok(Json::Object(members))
    }
}

/// Sorting keeps this n log n for a hostile object with thousands of keys.
fn repeated_key(members: &[(Box<str>, Json)]) -> Option<&str> {
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(text) => text
                .parse::<serde_json::Number>()
                .expect("the text was read as a number")
                .serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(&**key, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests;
