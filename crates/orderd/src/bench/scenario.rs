//! What a load does, and in which wire form.

use super::request::{BATCH, Kind};
use domain::scatter::scatter;

/// What the requests of a load do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Scenario {
    /// Place orders, each under a key of its own
    Create,
    /// Send orders again that were placed before
    Replay,
    /// Read orders by their id
    Get,
    /// List the newest 50 orders
    List,
    /// Place orders, 100 a request
    Batch,
    /// Of ten requests: 5 create, 1 replay, 3 get, 1 list
    Mixed,
}

/// The wire form of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Contract {
    /// The product's own, at /v1/orders
    V1,
    /// One item an order, at /orders
    Receipt,
    /// Named items for a named customer, at /orders
    Basket,
}

/// What the requests of a load do: those of a scenario, or so many reads of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A scenario.
    Scenario(Scenario),
    /// Reads in a hundred, nine lists for each single order; the rest place orders.
    Reads(u8),
}

impl Work {
    /// The kinds of request that it sends.
    pub(super) const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Scenario(scenario) => scenario.kinds(),
            Self::Reads(_) => &[Kind::Create, Kind::Get, Kind::List],
        }
    }

    /// The kind of its request with this number.
    pub(super) const fn kind(self, number: u64) -> Kind {
        match self {
            Self::Scenario(scenario) => scenario.kind(number),
            Self::Reads(percent) => match scatter(number) % 1_000 {
                place if place >= percent as u64 * 10 => Kind::Create,
                place if place % 10 == 0 => Kind::Get,
                _ => Kind::List,
            },
        }
    }

    /// Whether orders must be there before it begins.
    pub(super) const fn needs_orders(self) -> bool {
        match self {
            Self::Scenario(scenario) => scenario.needs_orders(),
            Self::Reads(percent) => percent > 0,
        }
    }

    /// How many orders one of its requests places, where all of them place some.
    pub(super) const fn orders_placed(self) -> Option<u64> {
        match self {
            Self::Scenario(scenario) => scenario.orders_placed(),
            Self::Reads(_) => None,
        }
    }

    /// The words for it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Scenario(scenario) => scenario.as_str().to_owned(),
            Self::Reads(percent) => format!("{percent} % reads"),
        }
    }

    /// Whether what it places can be asked for again.
    pub(super) const fn is_repeatable(self) -> bool {
        matches!(
            self,
            Self::Reads(_) | Self::Scenario(Scenario::Create | Scenario::Mixed)
        )
    }
}

impl Scenario {
    /// The kinds of request that it sends.
    const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Create => &[Kind::Create],
            Self::Replay => &[Kind::Replay],
            Self::Get => &[Kind::Get],
            Self::List => &[Kind::List],
            Self::Batch => &[Kind::Batch],
            Self::Mixed => &[Kind::Create, Kind::Replay, Kind::Get, Kind::List],
        }
    }

    /// The kind of its request with this number.
    const fn kind(self, number: u64) -> Kind {
        match self {
            Self::Create => Kind::Create,
            Self::Replay => Kind::Replay,
            Self::Get => Kind::Get,
            Self::List => Kind::List,
            Self::Batch => Kind::Batch,
            Self::Mixed => match number % 10 {
                0..5 => Kind::Create,
                5 => Kind::Replay,
                6..9 => Kind::Get,
                _ => Kind::List,
            },
        }
    }

    /// Whether orders must be there before it begins.
    const fn needs_orders(self) -> bool {
        matches!(self, Self::Replay | Self::Get | Self::List | Self::Mixed)
    }

    /// How many orders one of its requests places, where all of them place some.
    const fn orders_placed(self) -> Option<u64> {
        match self {
            Self::Create => Some(1),
            Self::Batch => Some(BATCH),
            _ => None,
        }
    }

    /// The word for it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replay => "replay",
            Self::Get => "get",
            Self::List => "list",
            Self::Batch => "batch",
            Self::Mixed => "mixed",
        }
    }
}

impl Contract {
    /// Where its orders are posted to.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::V1 => "/v1/orders",
            Self::Receipt | Self::Basket => "/orders",
        }
    }

    /// What asks for its list of the newest orders: a number of them, or all.
    pub(super) const fn newest(self) -> &'static str {
        match self {
            Self::V1 => "?limit=50",
            Self::Receipt | Self::Basket => "",
        }
    }

    /// Whether it has all that a load asks for.
    pub(super) fn can(self, work: Work) -> bool {
        let asked = |kind: Kind| work.kinds().contains(&kind);
        match self {
            Self::V1 => true,
            Self::Receipt => !asked(Kind::List) && !asked(Kind::Batch),
            Self::Basket => !asked(Kind::Batch),
        }
    }
}
