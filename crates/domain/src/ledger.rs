//! The ledger: exactly one row an order that says it was accepted. Rows are only ever added.

use crate::{Currency, Money, Order, OrderId, Timestamp};

/// The row that says one order was accepted, and how much of what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The order.
    pub order_id: OrderId,
    /// The sum of the quantities of its lines.
    pub quantity: u32,
    /// Its total when it was placed.
    pub total_minor: Money,
    /// The currency of the total.
    pub currency: Currency,
    /// When it was accepted.
    pub recorded_at: Timestamp,
}

impl LedgerEntry {
    /// The entry that belongs to `order` as it was placed.
    #[must_use]
    pub fn of(order: &Order) -> Self {
        Self {
            order_id: order.id,
            quantity: order.lines.iter().map(|line| line.quantity.get()).sum(),
            total_minor: order.total_minor,
            currency: order.currency,
            recorded_at: order.created_at,
        }
    }
}
