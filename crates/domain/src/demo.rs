//! Demo orders: order n of a seed is the same on every machine and in every run.

use crate::order::Quantity;
use crate::scatter::{Scatter, scatter};
use crate::text::Label;
use crate::{CustomerId, ItemId, Line, Money, Name};

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
/// What is ordered: id, name, price in minor units.
pub const PRODUCTS: [(&str, &str, i64); 12] = [
    ("apron", "Linen apron", 3_900),
    ("beans", "Coffee beans, 1 kg", 2_450),
    ("candle", "Beeswax candle", 1_200),
    ("kettle", "Gooseneck kettle", 6_900),
    ("lamp", "Desk lamp", 8_990),
    ("mug", "Stoneware mug", 1_650),
    ("notebook", "Dotted notebook", 1_290),
    ("pen", "Fountain pen", 4_500),
    ("planter", "Clay planter", 2_200),
    ("scarf", "Merino scarf", 5_950),
    ("tea", "Green tea, 100 g", 890),
    ("tote", "Canvas tote", 1_800),
];
/// Words that a client of the basket contract may have set; the first is what it sees anyway.
const LABELS: [&str; 5] = [
    "received",
    "processing",
    "shipped",
    "delivered",
    "cancelled",
];
const LINES_MAX: u64 = 5;
const QUANTITY_MAX: u64 = 5;

/// A demo order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demo {
    /// Who it is for; a customer has one name.
    pub customer_id: CustomerId,
    /// Who it is for, for people.
    pub customer_name: Name,
    /// 1 to 5 lines about [`PRODUCTS`].
    pub lines: Vec<Line>,
    /// Its status in the words of the basket contract, where that is not the first of all.
    pub label: Option<Label>,
}

/// Order `number` of a seed.
#[must_use]
pub fn order(seed: u64, number: u64) -> Demo {
    let mut random = Scatter::new(scatter(seed) ^ number);
    let customer = random.below(256);
    let index = usize::try_from(customer).expect("it is below 256");
    let name = format!("{} {}", FIRST_NAMES[index / 16], LAST_NAMES[index % 16]);
    let lines = (0..=random.below(LINES_MAX))
        .map(|_| line(&mut random))
        .collect();
    let label = Some(*random.pick(&LABELS)).filter(|label| *label != LABELS[0]);
    Demo {
        customer_id: CustomerId::parse(&format!("cust-{customer:03}")).expect("it is short"),
        customer_name: Name::parse(&name).expect("it is short"),
        lines,
        label: label.and_then(Label::parse),
    }
}

fn line(random: &mut Scatter) -> Line {
    let (item_id, name, _) = random.pick(&PRODUCTS);
    Line {
        item_id: ItemId::parse(item_id),
        name: Name::parse(name),
        quantity: Quantity::parse(1 + random.below(QUANTITY_MAX)).expect("it is 1 to 5"),
        unit_price_minor: Money::ZERO,
    }
}

#[cfg(test)]
mod tests;
