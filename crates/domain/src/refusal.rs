//! Why the rules say no: one variant a rule, one variant an API code.

use crate::{Currency, Money, OrderId, Status};

/// A request that is well formed, but that the rules do not allow. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The total of the order does not fit into an amount.
    AmountOverflow,
    /// The total is not the one that the client expected.
    PriceChanged {
        /// What the client expected.
        expected: Money,
        /// What it comes to.
        actual: Money,
    },
    /// A line names no product, and the catalogue is strict.
    ItemUnknown {
        /// The line, from 1.
        line_number: usize,
    },
    /// A line is priced in another currency than the order.
    CurrencyMixed {
        /// The currency of the order.
        order: Currency,
        /// The currency of the line's price.
        line: Currency,
    },
    /// The order is being paid for and goes its own way.
    UnderFulfilment {
        /// How far it has come.
        status: Status,
    },
    /// Fewer would be there than are held for orders.
    StockHeld {
        /// How many are held.
        reserved: u64,
    },
    /// More would be given back than was taken.
    RefundTooLarge {
        /// What is left to be given back, in minor units.
        left: Money,
    },
    /// The order cannot move like that from where it is.
    IllegalTransition {
        /// Where it is.
        from: Status,
        /// Where it was to go.
        to: Status,
    },
    /// The idempotency key was used for another request.
    KeyReused,
    /// The idempotency key is too old for its answer to be known.
    KeyExpired {
        /// The order that the key stands for.
        order_id: Option<OrderId>,
    },
}
