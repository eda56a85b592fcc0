//! What a load does, and in which wire form.

use super::request::{BATCH, Kind};

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
}

impl Scenario {
    /// The kinds of request that it sends.
    pub(super) const fn kinds(self) -> &'static [Kind] {
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
    pub(super) const fn kind(self, number: u64) -> Kind {
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
    pub(super) const fn needs_orders(self) -> bool {
        matches!(self, Self::Replay | Self::Get | Self::List | Self::Mixed)
    }

    /// How many orders one of its requests places, where all of them place some.
    pub(super) const fn orders_placed(self) -> Option<u64> {
        match self {
            Self::Create => Some(1),
            Self::Batch => Some(BATCH),
            _ => None,
        }
    }

    /// The word for it.
    pub(super) const fn as_str(self) -> &'static str {
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
            Self::Receipt => "/orders",
        }
    }

    /// Whether it has all that the scenario asks for.
    pub(super) const fn can(self, scenario: Scenario) -> bool {
        !matches!(
            (self, scenario),
            (
                Self::Receipt,
                Scenario::List | Scenario::Batch | Scenario::Mixed
            )
        )
    }
}
