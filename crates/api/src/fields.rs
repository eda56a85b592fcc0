//! Reading the fields of a JSON object, noting every fault instead of stopping at the first.
//!
//! What a field means is its reader's; which fields there are is the contract's.

use crate::problem::{Code, Fault, Problem};
use domain::json::Json;
use domain::order::QUANTITY_MAX;
use domain::text::Text;
use domain::{Currency, Money, Quantity};
use std::borrow::Cow;
use std::fmt;

/// The most faults that one answer lists.
const FAULTS_MAX: usize = 100;
/// The most characters of an unknown field's name that an answer repeats.
const NAME_SHOWN_MAX: usize = 100;

/// An object, and where in the body it is.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    members: &'a [(Box<str>, Json)],
    at: At<'a>,
}

/// A place in a body; shown as a JSON pointer.
#[derive(Clone, Copy)]
pub(crate) enum At<'a> {
    Root,
    Key(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

/// What is wrong with a value.
pub(crate) struct Wrong {
    code: &'static str,
    detail: Cow<'static, str>,
}

/// Every fault found in a body so far.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl<'a> Fields<'a> {
    /// The fields of the body itself.
    pub(crate) fn of_body(body: &'a Json) -> Result<Self, Problem> {
        let Json::Object(members) = body else {
            return Err(Problem::new(
                Code::InvalidBody,
                "The body is JSON, but not an object with fields: {\"...\": ...}.",
            ));
        };
        Ok(Self {
            members,
            at: At::Root,
        })
    }

    /// The fields of a value within the body; a fault where it is no object.
    pub(crate) fn of_value(value: &'a Json, at: At<'a>, faults: &mut Faults) -> Option<Self> {
        let members = faults.note(&at, object(value))?;
        Some(Self { members, at })
    }

    /// Where a field of this object is.
    pub(crate) fn at<'b>(&'b self, key: &'b str) -> At<'b> {
        At::Key(&self.at, key)
    }

    /// Whether the field is there, right or wrong; `null` is not.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The value of a field that must be there.
    pub(crate) fn required<T>(
        &self,
        key: &str,
        faults: &mut Faults,
        read: impl FnOnce(&'a Json) -> Result<T, Wrong>,
    ) -> Option<T> {
        let value = self
            .get(key)
            .map_or(Err(Wrong::new("required", "is missing")), read);
        faults.note(&self.at(key), value)
    }

    /// The value of a field that may be absent or `null`.
    pub(crate) fn optional<T>(
        &self,
        key: &str,
        faults: &mut Faults,
        read: impl FnOnce(&'a Json) -> Result<T, Wrong>,
    ) -> Option<T> {
        faults.note(&self.at(key), read(self.get(key)?))
    }

    /// A fault for each field that is none of `known`.
    pub(crate) fn only(&self, known: &[&str], faults: &mut Faults) {
        for (key, _) in self
            .members
            .iter()
            .filter(|(key, _)| !known.contains(&&**key))
        {
            let shown: String = key.chars().take(NAME_SHOWN_MAX).collect();
            let detail = format!("is not a field here; there are {}", known.join(", "));
            faults.add(&self.at(&shown), Wrong::new("unknown_field", detail));
        }
    }

    fn get(&self, key: &str) -> Option<&'a Json> {
        let (_, value) = self.members.iter().find(|(name, _)| **name == *key)?;
        (*value != Json::Null).then_some(value)
    }
}

impl Faults {
    /// The value, or nothing and one more fault.
    pub(crate) fn note<T>(&mut self, at: &At<'_>, value: Result<T, Wrong>) -> Option<T> {
        value.map_err(|wrong| self.add(at, wrong)).ok()
    }

    pub(crate) fn add(&mut self, at: &At<'_>, wrong: Wrong) {
        if self.0.len() < FAULTS_MAX {
            let Wrong { code, detail } = wrong;
            let pointer = Some(at.to_string());
            self.0.push(Fault {
                pointer,
                parameter: None,
                detail,
                code,
            });
        }
    }

    /// What was read, if nothing was wrong with any of it.
    pub(crate) fn check<T>(self, read: Option<T>) -> Result<T, Problem> {
        match read {
            Some(read) if self.0.is_empty() => Ok(read),
            _ => Err(Problem::of_faults(Code::ValidationFailed, self.0)),
        }
    }
}

impl Wrong {
    pub(crate) fn new(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(parent, key) => {
                write!(f, "{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
            }
            Self::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

/// Reads a name or id.
pub(crate) fn text<const MAX: usize>(value: &Json) -> Result<Text<MAX>, Wrong> {
    let Json::String(text) = value else {
        return Err(Wrong::new("wrong_type", "must be a string"));
    };
    Text::parse(text).ok_or_else(|| {
        Wrong::new(
            "out_of_bounds",
            format!("must be 1 to {MAX} characters, not all blank, without control characters"),
        )
    })
}

/// Reads how many.
pub(crate) fn quantity(value: &Json) -> Result<Quantity, Wrong> {
    if !matches!(value, Json::Number(_)) {
        return Err(Wrong::new(
            "wrong_type",
            "must be an integer, without quotes",
        ));
    }
    value
        .as_integer()
        .and_then(|number| Quantity::parse(u64::try_from(number).ok()?))
        .ok_or_else(|| {
            Wrong::new(
                "out_of_bounds",
                format!("must be an integer from 1 to {QUANTITY_MAX}"),
            )
        })
}

/// Reads an amount in minor units.
pub(crate) fn amount(value: &Json) -> Result<Money, Wrong> {
    let minor = value.as_integer().filter(|minor| *minor >= 0);
    minor.map(Money::from_minor).ok_or_else(|| {
        Wrong::new(
            "out_of_bounds",
            "must be a whole number of minor units, 0 or more",
        )
    })
}

/// Reads a currency.
pub(crate) fn currency(value: &Json) -> Result<Currency, Wrong> {
    let Json::String(text) = value else {
        return Err(Wrong::new("wrong_type", "must be a string"));
    };
    Currency::parse(text).ok_or_else(|| {
        Wrong::new(
            "out_of_bounds",
            "must be three upper-case letters, as in USD",
        )
    })
}

/// Reads yes or no.
pub(crate) fn boolean(value: &Json) -> Result<bool, Wrong> {
    match value {
        Json::Bool(value) => Ok(*value),
        _ => Err(Wrong::new("wrong_type", "must be true or false")),
    }
}

/// Reads an array of `min` to `max` items.
pub(crate) fn array(value: &Json, min: usize, max: usize) -> Result<&[Json], Wrong> {
    match value {
        Json::Array(items) if (min..=max).contains(&items.len()) => Ok(items),
        Json::Array(_) => Err(Wrong::new(
            "out_of_bounds",
            format!("must hold {min} to {max} items"),
        )),
        _ => Err(Wrong::new("wrong_type", "must be an array")),
    }
}

/// Reads an object.
pub(crate) fn object(value: &Json) -> Result<&[(Box<str>, Json)], Wrong> {
    match value {
        Json::Object(members) => Ok(members),
        _ => Err(Wrong::new("wrong_type", "must be an object")),
    }
}
