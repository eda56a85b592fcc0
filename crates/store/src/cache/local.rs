//! Stamps in this process, which is the only one that writes.

use super::{Stamp, View};
use domain::OrderId;
use domain::id::second_half;
use std::sync::atomic::{AtomicU64, Ordering};

/// Orders share this many versions: a change outdates a few more orders than it has to.
const SLOTS: usize = 4_096;

/// Stamps in this process.
pub(super) struct Local {
    era: AtomicU64,
    lists: AtomicU64,
    orders: Box<[AtomicU64]>,
}

impl Default for Local {
    fn default() -> Self {
        Self {
            era: AtomicU64::new(0),
            lists: AtomicU64::new(0),
            orders: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Local {
    pub(super) fn stamp(&self, view: &View) -> Stamp {
        let version = match view.order() {
            Some(id) => self.slot(id),
            None => &self.lists,
        };
        Stamp {
            era: self.era.load(Ordering::Acquire),
            version: version.load(Ordering::Acquire),
        }
    }

    pub(super) fn outdate(&self, orders: &[OrderId]) {
        self.lists.fetch_add(1, Ordering::AcqRel);
        for id in orders {
            self.slot(*id).fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(super) fn outdate_all(&self) {
        self.era.fetch_add(1, Ordering::AcqRel);
    }

    fn slot(&self, id: OrderId) -> &AtomicU64 {
        let random = second_half(id.as_uuid()) % SLOTS as u64;
        &self.orders[usize::try_from(random).expect("it is below 4,096")]
    }
}
