//! What is written for an order of an older system, or why it cannot be imported.

use domain::idempotency::{Body, Fingerprint, Key, Operation, Principal, Reply, Retention, Scope};
use domain::json::Json;
use domain::order::Contract;
use domain::place::{Draft, Keyed, Occasion, place};
use domain::product::Prices;
use domain::text::Label;
use domain::{
    Currency, CustomerId, ItemId, Line, Money, Name, OrderId, Quantity, Timestamp, WriteSet,
};
use serde_json::{Value, json};
use store::foreign::{Foreign, ForeignKey, System};

/// What is written for an order.
pub(super) struct Imported {
    /// Its placing, with its key.
    pub(super) placing: WriteSet,
    /// The word that stands as its status, where that is not the one of every new order.
    pub(super) label: Option<Label>,
    /// Why its key could not come with it.
    pub(super) without_key: Option<String>,
}

/// Reads an order as an older system kept it.
///
/// # Errors
/// Why it cannot be imported.
pub(super) fn read(
    system: System,
    foreign: &Foreign,
    occasion: Occasion,
    retention: &Retention,
) -> Result<Imported, String> {
    let order_id = id(system, &foreign.id)
        .ok_or_else(|| "its id is neither a number nor a UUID of version 4".to_owned())?;
    if foreign.entries.is_some_and(|entries| entries != 1) {
        let entries = foreign.entries.unwrap_or_default();
        return Err(format!("it has {entries} ledger entries, not one"));
    }
    let now = occasion.now;
    let created_at = foreign.created_at.as_deref().and_then(moment);
    let occasion = Occasion {
        order_id,
        now: created_at.unwrap_or(now),
        ..occasion
    };
    let draft = match system {
        System::NumberedReceipts | System::Receipts => receipt(foreign)?,
        System::Baskets => named(api::BASKET, foreign)?,
        System::Events => named(api::EVENT, foreign)?,
    };
    let (keyed, without_key) = match &foreign.keys[..] {
        [] => (None, None),
        [key] => match keyed(foreign, key, retention) {
            Ok(keyed) => (Some(keyed), None),
            Err(why) => (None, Some(why)),
        },
        keys => (None, Some(format!("{} keys stand for it", keys.len()))),
    };
    let mut placing = place(draft, &Prices::none(Currency::USD), occasion, keyed)
        .map_err(|refusal| format!("{refusal:?}"))?;
    if let Some(claim) = &mut placing.claim {
        // From now on as long as any other: the older systems never forgot one.
        claim.created_at = now;
        claim.forget_before = retention.forget_before(now);
    }
    let status = foreign
        .status
        .as_deref()
        .filter(|status| new_status(system).is_some_and(|new| *status != new));
    let label = match status {
        None => None,
        Some(status) => Some(Label::parse(status).ok_or("its status has more than 20 characters")?),
    };
    Ok(Imported {
        placing,
        label,
        without_key,
    })
}

/// What the status of a new order is to the clients of the systems that have one of their own.
fn new_status(system: System) -> Option<&'static str> {
    match system {
        System::NumberedReceipts | System::Receipts => None,
        System::Baskets => Some("received"),
        System::Events => Some("Pending"),
    }
}

fn id(system: System, text: &str) -> Option<OrderId> {
    match system {
        System::NumberedReceipts => OrderId::numbered(text.parse().ok()?),
        System::Receipts | System::Baskets | System::Events => OrderId::parse(text),
    }
}

fn receipt(foreign: &Foreign) -> Result<Draft, String> {
    let customer_id = foreign.customer_id.as_deref().and_then(CustomerId::parse);
    let (item, quantity) = foreign.lines.first().ok_or("it has no item")?;
    let item_id = ItemId::parse(item)
        .ok_or("its item_id is empty, or has control or more than 128 characters")?;
    let line = Line {
        item_id: Some(item_id),
        name: None,
        quantity: whole(*quantity)?,
        unit_price_minor: Money::ZERO,
    };
    let customer_id = customer_id
        .ok_or("its customer_id is empty, or has control or more than 128 characters")?;
    Ok(Draft {
        customer_id: Some(customer_id),
        ..draft(api::RECEIPT, vec![line])
    })
}

/// Of a customer and items that have names.
fn named(contract: Contract, foreign: &Foreign) -> Result<Draft, String> {
    let customer_name = foreign.customer_name.as_deref().and_then(Name::parse);
    let line = |(name, quantity): &(String, i64)| {
        let name = Name::parse(name)
            .ok_or("the name of an item is empty, or has control or more than 200 characters")?;
        Ok(Line {
            item_id: None,
            name: Some(name),
            quantity: whole(*quantity)?,
            unit_price_minor: Money::ZERO,
        })
    };
    let lines: Vec<Line> = foreign
        .lines
        .iter()
        .map(line)
        .collect::<Result<_, String>>()?;
    if lines.is_empty() {
        return Err("it has no items".to_owned());
    }
    if lines.len() > domain::order::LINES_MAX {
        return Err(format!("it has {} items, and 40 are the most", lines.len()));
    }
    let customer_name = customer_name
        .ok_or("its customer_name is empty, or has control or more than 200 characters")?;
    Ok(Draft {
        customer_name: Some(customer_name),
        ..draft(contract, lines)
    })
}

/// Recorded, not fulfilled: what became of it was the older system's business.
fn draft(contract: Contract, lines: Vec<Line>) -> Draft {
    Draft {
        contract,
        customer_id: None,
        customer_name: None,
        currency: None,
        lines,
        expected_total_minor: None,
        fulfil: false,
        metadata: None,
    }
}

fn whole(quantity: i64) -> Result<Quantity, String> {
    let quantity = u64::try_from(quantity).ok().and_then(Quantity::parse);
    quantity.ok_or_else(|| "a quantity is not between 1 and 1,000,000".to_owned())
}

/// The record of a key. Its fingerprint is made anew: an order says all that its request said.
fn keyed(foreign: &Foreign, key: &ForeignKey, retention: &Retention) -> Result<Keyed, String> {
    let answer: Option<Value> = serde_json::from_str(&key.reply).ok();
    let named = answer.as_ref().map(|answer| match &answer["order_id"] {
        Value::String(id) => id.clone(),
        other => other.to_string(),
    });
    if named.as_deref() != Some(&foreign.id) {
        return Err("the answer of its key names another order".to_owned());
    }
    let status = u16::try_from(key.status)
        .ok()
        .filter(|it| (200..300).contains(it));
    let (item_id, quantity) = foreign.lines.first().ok_or("it has no item")?;
    let asked = json!({
        "customer_id": foreign.customer_id, "item_id": item_id, "quantity": quantity,
    });
    let asked = Json::parse(asked.to_string().as_bytes()).map_err(|_| "it is no JSON")?;
    let operation = Operation::PlaceContractOrder;
    Ok(Keyed {
        scope: Scope {
            principal: Principal::anonymous(),
            operation,
            key: Key::parse(format!("\"{}\"", key.key).as_bytes())
                .ok_or("its key has not 1 to 255 printable ASCII characters")?,
        },
        fingerprint: Fingerprint::of(operation, &asked),
        reply: Reply {
            status: status.ok_or("the answer of its key was no success")?,
            body: Body::Stored(key.reply.as_bytes().into()),
        },
        retention: *retention,
    })
}

/// `2025-01-31 12:34:56.789`, with or without a `T` and a fraction: UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let time: jiff::civil::DateTime = text.trim_end_matches('Z').parse().ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_millis(time.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests;
