//! Demo orders: order n of a seed is the same on every machine and in every run.

use crate::random::{Scatter, scatter};
use serde_json::{Value, json};

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Ben", "Chloé", "Dmitri", "Esra", "Femi", "Grace", "Hiro", "Ines", "Jonas", "Kavya",
    "Liam", "Mei", "Noah", "Olga", "Pablo",
];
const LAST_NAMES: [&str; 16] = [
    "Abara",
    "Berg",
    "Costa",
    "Dubois",
    "Evans",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ito",
    "Jansen",
    "Kumar",
    "Lindqvist",
    "Moreau",
    "Novak",
    "O’Brien",
    "Petrov",
];
const ITEMS: [(&str, &str); 12] = [
    ("apron", "Linen apron"),
    ("beans", "Coffee beans, 1 kg"),
    ("candle", "Beeswax candle"),
    ("kettle", "Gooseneck kettle"),
    ("lamp", "Desk lamp"),
    ("mug", "Stoneware mug"),
    ("notebook", "Dotted notebook"),
    ("pen", "Fountain pen"),
    ("planter", "Clay planter"),
    ("scarf", "Merino scarf"),
    ("tea", "Green tea, 100 g"),
    ("tote", "Canvas tote"),
];
const LINES_MAX: u64 = 4;
const QUANTITY_MAX: u64 = 5;

/// Order `number` of a seed, as an item of a batch.
pub(super) fn order(seed: u64, number: u64) -> Value {
    let mut random = Scatter::new(scatter(seed) ^ number);
    let customer = random.below(256);
    let index = usize::try_from(customer).expect("it is below 256");
    let name = format!("{} {}", FIRST_NAMES[index / 16], LAST_NAMES[index % 16]);
    let lines: Vec<Value> = (0..=random.below(LINES_MAX))
        .map(|_| {
            let (item_id, name) = random.pick(&ITEMS);
            let quantity = 1 + random.below(QUANTITY_MAX);
            json!({"item_id": item_id, "name": name, "quantity": quantity})
        })
        .collect();
    json!({
        "idempotency_key": format!("seed-{seed}-{number}"),
        "order": {
            "customer_id": format!("cust-{customer:03}"),
            "customer_name": name,
            "lines": lines,
        },
    })
}

#[cfg(test)]
mod tests;
