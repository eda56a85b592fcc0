//! A product of the catalogue, and what it does to the lines of an order that name it.

use crate::{Currency, ItemId, Line, Money, Name, Refusal, Timestamp};

/// Something that can be ordered at a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name for programs: what a line's `item_id` says.
    pub id: ItemId,
    /// Its name for people.
    pub name: Name,
    /// The price of one, 0 or more.
    pub price: Money,
    /// The currency of the price.
    pub currency: Currency,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What placing an order knows of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    /// The products that the order's lines name; those that are not there cost nothing.
    pub products: Vec<Product>,
    /// What a line may be about.
    pub lines: Lines,
    /// The currency of an order that names none and has no priced line.
    pub default_currency: Currency,
}

/// What a line of an order may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Anything.
    Any,
    /// Products of the catalogue only.
    Products,
}

impl Prices {
    /// Those of an empty catalogue.
    #[must_use]
    pub const fn none(default_currency: Currency) -> Self {
        Self {
            products: Vec::new(),
            lines: Lines::Any,
            default_currency,
        }
    }

    /// Copies name and price into the lines that name a product; the currency of the order, which
    /// is `asked` where the client named one. Only ids are compared, never names.
    ///
    /// # Errors
    /// [`Refusal::ItemUnknown`], [`Refusal::CurrencyMixed`].
    pub fn apply(&self, lines: &mut [Line], asked: Option<Currency>) -> Result<Currency, Refusal> {
        let mut currency = asked;
        for (line_number, line) in (1..).zip(lines) {
            let Some(product) = self.of(line) else {
                if self.lines == Lines::Products {
                    return Err(Refusal::ItemUnknown { line_number });
                }
                continue;
            };
            let order = *currency.get_or_insert(product.currency);
            if order != product.currency {
                let line = product.currency;
                return Err(Refusal::CurrencyMixed { order, line });
            }
            line.name = Some(product.name.clone());
            line.unit_price_minor = product.price;
        }
        Ok(currency.unwrap_or(self.default_currency))
    }

    fn of(&self, line: &Line) -> Option<&Product> {
        let id = line.item_id.as_ref()?;
        self.products.iter().find(|product| product.id == *id)
    }
}

#[cfg(test)]
mod tests;
