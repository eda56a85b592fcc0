//! Reading an order as `/v1` takes it: every field known, every bound kept, every fault noted.

use crate::contracts;
use crate::fields::{
    At, Faults, Fields, Wrong, amount, array, boolean, currency, object, quantity, text,
};
use domain::json::Json;
use domain::order::LINES_MAX;
use domain::place::Draft;
use domain::{Line, Money};
use utoipa::ToSchema;

/// The most bytes of an order's metadata.
const METADATA_BYTES_MAX: usize = 8 * 1024;

/// An order to place.
#[derive(ToSchema)]
#[schema(as = NewOrder)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `read` reads")]
pub(crate) struct NewOrderBody {
    /// Who it is for, as the client numbers its customers. This or `customer_name` is needed.
    #[schema(min_length = 1, max_length = 128, example = "cust1")]
    customer_id: Option<String>,
    /// Who it is for, for people.
    #[schema(min_length = 1, max_length = 200)]
    customer_name: Option<String>,
    /// Three upper-case letters; the configured default where absent.
    #[schema(pattern = "^[A-Z]{3}$", example = "USD")]
    currency: Option<String>,
    /// What is ordered.
    #[schema(min_items = 1, max_items = 40)]
    lines: Vec<NewLineBody>,
    /// Refuse the order if it comes to another total than this.
    #[schema(minimum = 0)]
    expected_total_minor: Option<i64>,
    /// Whether it is to be paid for and taken from stock (the default), or only recorded.
    fulfil: Option<bool>,
    /// The client's own notes: an object of at most 8 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<()>,
}

/// One row of an order to place.
#[derive(ToSchema)]
#[schema(as = NewLine)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says in the document what `read` reads")]
pub(crate) struct NewLineBody {
    /// What it is about, as the client numbers its goods. This or `name` is needed.
    #[schema(min_length = 1, max_length = 128, example = "pen")]
    item_id: Option<String>,
    /// What it is about, for people.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
}

/// Reads an order. `None` only with a fault noted.
pub(crate) fn read(fields: &Fields<'_>, faults: &mut Faults) -> Option<Draft> {
    fields.only(
        &[
            "customer_id",
            "customer_name",
            "currency",
            "lines",
            "expected_total_minor",
            "fulfil",
            "metadata",
        ],
        faults,
    );
    if !fields.has("customer_id") && !fields.has("customer_name") {
        let wrong = Wrong::new(
            "required",
            "is missing; an order needs it or a customer_name",
        );
        faults.add(&fields.at("customer_id"), wrong);
    }
    let customer_id = fields.optional("customer_id", faults, text);
    let customer_name = fields.optional("customer_name", faults, text);
    let currency = fields.optional("currency", faults, currency);
    let expected_total_minor = fields.optional("expected_total_minor", faults, amount);
    let fulfil = fields.optional("fulfil", faults, boolean);
    let metadata = fields.optional("metadata", faults, metadata);
    let rows = fields.required("lines", faults, |value| array(value, 1, LINES_MAX))?;
    Some(Draft {
        contract: contracts::V1,
        customer_id,
        customer_name,
        currency,
        lines: lines(rows, fields.at("lines"), faults)?,
        expected_total_minor,
        fulfil: fulfil.unwrap_or(true),
        metadata,
    })
}

fn lines(rows: &[Json], at: At<'_>, faults: &mut Faults) -> Option<Vec<Line>> {
    let mut lines = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        // Without `?`: the faults of the lines after a wrong one are to be noted too.
        lines.extend(line(row, At::Index(&at, index), faults));
    }
    (lines.len() == rows.len()).then_some(lines)
}

fn line(row: &Json, at: At<'_>, faults: &mut Faults) -> Option<Line> {
    let fields = Fields::of_value(row, at, faults)?;
    fields.only(&["item_id", "name", "quantity"], faults);
    if !fields.has("item_id") && !fields.has("name") {
        let wrong = Wrong::new("required", "is missing; a line needs it or a name");
        faults.add(&fields.at("item_id"), wrong);
    }
    Some(Line {
        item_id: fields.optional("item_id", faults, text),
        name: fields.optional("name", faults, text),
        quantity: fields.required("quantity", faults, quantity)?,
        unit_price_minor: Money::ZERO,
    })
}

fn metadata(value: &Json) -> Result<Box<str>, Wrong> {
    object(value)?;
    if holds_control_characters(value) {
        return Err(Wrong::new(
            "out_of_bounds",
            "must hold no control characters but tab and newline",
        ));
    }
    let text = serde_json::to_string(value).expect("what was read as JSON can be written as JSON");
    if text.len() > METADATA_BYTES_MAX {
        let detail = format!("must be at most {METADATA_BYTES_MAX} bytes of JSON");
        return Err(Wrong::new("out_of_bounds", detail));
    }
    Ok(text.into())
}

/// `PostgreSQL` would refuse a NUL, a terminal would obey an escape.
fn holds_control_characters(value: &Json) -> bool {
    let forbidden = |text: &str| {
        text.chars()
            .any(|character| character.is_control() && !"\t\r\n".contains(character))
    };
    match value {
        Json::String(text) => forbidden(text),
        Json::Array(items) => items.iter().any(holds_control_characters),
        Json::Object(members) => members
            .iter()
            .any(|(key, value)| forbidden(key) || holds_control_characters(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}
