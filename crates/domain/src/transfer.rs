//! Double entry: money and stock that moved, or is about to, from one account to another.
//!
//! Transfers are only ever added. One that is pending is resolved once, by another that posts or
//! voids it; what was posted is given back by a reversal.

use crate::{Currency, ItemId, OrderId, Timestamp};
use uuid::Uuid;

/// One movement. What is debited is credited, so the books balance by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// What it belongs to.
    pub subject: Subject,
    /// 1 for the subject's first, then counting up without gaps.
    pub number: u32,
    /// What became of it.
    pub kind: TransferKind,
    /// What moves.
    pub asset: Asset,
    /// Where it comes from.
    pub debit: Account,
    /// Where it goes.
    pub credit: Account,
    /// How much, in minor units or pieces; at least 1.
    pub amount: u64,
    /// Why, in an operator's words.
    pub reason: Option<Box<str>>,
    /// When it was decided.
    pub occurred_at: Timestamp,
}

/// What a transfer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An order.
    Order(OrderId),
    /// An adjustment of stock, by its own id.
    Adjustment(Uuid),
}

/// What became of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferKind {
    /// It is promised: held stock, authorised money.
    Pending,
    /// The pending transfer with this number took place.
    Posted(u32),
    /// The pending transfer with this number will not take place.
    Voided(u32),
    /// It took place at once.
    Transfer,
    /// It gives back what was posted before.
    Reversal,
}

/// What moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asset {
    /// Money, in minor units.
    Money(Currency),
    /// Pieces of an item.
    Item(ItemId),
}

/// Where it moves between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The customers'.
    Customers,
    /// The shop's money.
    Sales,
    /// The shop's stock.
    Stock,
    /// Where stock comes from and goes to when it is not sold.
    Supply,
}

impl Account {
    /// Every account.
    pub const ALL: [Self; 4] = [Self::Customers, Self::Sales, Self::Stock, Self::Supply];

    /// The word for it in JSON, SQL and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Sales => "sales",
            Self::Stock => "stock",
            Self::Supply => "supply",
        }
    }
}

impl Asset {
    /// Where it comes from and goes to when an order is sold.
    #[must_use]
    pub const fn sale(&self) -> (Account, Account) {
        match self {
            Self::Money(_) => (Account::Customers, Account::Sales),
            Self::Item(_) => (Account::Stock, Account::Customers),
        }
    }

    /// The asset as others write it: `USD/2`, `SKU:pen`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Money(currency) => format!("{currency}/{}", currency.minor_digits()),
            Self::Item(item_id) => format!("SKU:{}", item_id.as_str()),
        }
    }
}

/// The pending ones among an order's `transfers` that nothing resolved yet.
pub fn open(transfers: &[Transfer]) -> impl Iterator<Item = &Transfer> {
    let resolved = |number| {
        transfers.iter().any(|transfer| {
            matches!(transfer.kind, TransferKind::Posted(pending) | TransferKind::Voided(pending)
                if pending == number)
        })
    };
    transfers.iter().filter(move |transfer| {
        transfer.kind == TransferKind::Pending && !resolved(transfer.number)
    })
}
