//! The promises, checked on what is kept: every order with its journal, and what stands alone.
//!
//! What is found is looked at again before it is told: an order may have moved on while its journal
//! was read.

use super::Db;
use super::call::pause;
use super::items::{Item, LEDGER, Row, TRANSFER, text};
use super::outbox::wake_key;
use super::read::{id_of, order_key};
use crate::rows::{self, Columns, number, parsed};
use crate::server::pages::of_no_order;
use crate::{Check, Error, Finding, Page, RecordQuery};
use domain::idempotency::Operation;
use domain::{
    Consumer, Event, EventKind, Order, OrderId, RecordId, RecordKind, Status, Transfer, transfer,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use transfer::{Account, Asset, TransferKind};

/// How often an order is looked at before it is told what is wrong with it.
const LOOKS: u32 = 3;

/// An order with all that was recorded of it.
struct Whole {
    order: Order,
    ledger: Option<(i64, i64, String)>,
    events: Vec<Event>,
    transfers: Vec<Transfer>,
}

impl Db {
    /// A page of what violates `check`.
    pub(super) async fn audit(
        &self,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error> {
        match check {
            // Nothing but the rights of whoever uses the tables could keep them from it.
            Check::AppendOnly => Ok(of_no_order([])),
            Check::Sound => Ok(of_no_order(self.unsound().await?)),
            Check::StockAgrees => Ok(of_no_order(self.stock_disagrees().await?)),
            Check::OneOrderPerKey => self.keys_disagree().await,
            Check::AllOrNothing
            | Check::LedgerAgrees
            | Check::TransfersAgree
            | Check::NothingStuck => self.orders_disagree(check, after).await,
        }
    }

    async fn unsound(&self) -> Result<Vec<String>, Error> {
        let unsound = self.tables.unsound(&self.client).await;
        unsound.map_err(|error| Error::Unavailable(error.into()))
    }

    async fn orders_disagree(
        &self,
        check: Check,
        after: Option<OrderId>,
    ) -> Result<Page<Finding, OrderId>, Error> {
        let mut items = Vec::new();
        if check == Check::AllOrNothing && after.is_none() {
            items.extend(self.strays().await?);
        }
        let start = after.map(order_key);
        let (orders, next) = self.scan(&self.tables.orders, start).await?;
        for order in &orders {
            let order_id = id_of(order)?;
            if let Some(problem) = self.wrong(check, order_id).await? {
                items.push(Finding {
                    order_id: Some(order_id),
                    problem,
                });
            }
        }
        let next = next.as_ref().map(id_of).transpose()?;
        Ok(Page { items, next })
    }

    /// What is wrong with an order, and still is when it is looked at again.
    async fn wrong(&self, check: Check, order_id: OrderId) -> Result<Option<String>, Error> {
        let mut looks = 1;
        loop {
            let Some(whole) = self.whole(order_id).await? else {
                return Ok(None);
            };
            let problem = match check {
                Check::LedgerAgrees => ledger_disagrees(&whole),
                Check::TransfersAgree => transfers_disagree(&whole),
                Check::NothingStuck => self.stuck(&whole).await?,
                _ => self.incomplete(&whole).await?,
            };
            if problem.is_none() || looks == LOOKS {
                return Ok(problem);
            }
            pause(looks).await;
            looks += 1;
        }
    }

    async fn whole(&self, order_id: OrderId) -> Result<Option<Whole>, Error> {
        let Some(order) = self.order(order_id).await? else {
            return Ok(None);
        };
        let ledger = self.journal(order_id.as_uuid(), LEDGER).await?;
        let entry = |item: &Item| {
            let row = Row {
                item,
                names: &["quantity", "total_minor", "currency"],
            };
            Ok::<_, Error>((
                number(&row, 0, "quantity")?,
                number(&row, 1, "total")?,
                row.text(2)?.unwrap_or_default().to_owned(),
            ))
        };
        Ok(Some(Whole {
            order,
            ledger: ledger.first().map(entry).transpose()?,
            events: self.events(order_id).await?,
            transfers: self.transfers(order_id).await?,
        }))
    }

    async fn incomplete(&self, whole: &Whole) -> Result<Option<String>, Error> {
        let order = &whole.order;
        let has_newest = |event: &Event| event.sequence == order.newest_sequence;
        let waits = matches!(
            order.status,
            Status::Created | Status::Processing | Status::Compensating
        );
        let problem = if order.lines.is_empty() {
            "it has no lines"
        } else if whole.ledger.is_none() {
            "it has no ledger entry"
        } else if !whole.events.iter().any(has_newest) {
            "it has no event"
        } else if order.fulfil
            && waits
            && !self.is_woken(order.id).await?
            && !self.is_poison(order.id).await?
        {
            "it waits for fulfilment, and nobody will be woken"
        } else {
            return Ok(None);
        };
        Ok(Some(problem.to_owned()))
    }

    async fn stuck(&self, whole: &Whole) -> Result<Option<String>, Error> {
        let order = &whole.order;
        let under_way = matches!(order.status, Status::Processing | Status::Compensating);
        let progress = &order.progress;
        if under_way && (progress.step.is_none() || progress.deadline_at.is_none()) {
            return Ok(Some(
                "it is under way, without a step or a deadline".to_owned(),
            ));
        }
        let count = |kinds: &[EventKind]| {
            let of = |event: &&Event| kinds.contains(&event.kind);
            whole.events.iter().filter(of).count()
        };
        let asked = count(&[EventKind::RefundRequested]);
        let answered = count(&[EventKind::PaymentRefunded, EventKind::RefundFailed]);
        let problem = if order.status == Status::Failed {
            "it failed, and there is no letter of it"
        } else if asked > answered && !self.is_woken(order.id).await? {
            "a refund of it is pending, and nobody will be woken"
        } else {
            return Ok(None);
        };
        let rests = self.has_letter(order.id).await?;
        Ok((!rests).then(|| problem.to_owned()))
    }

    async fn is_woken(&self, id: OrderId) -> Result<bool, Error> {
        let key = wake_key(Consumer::Fulfil, id);
        Ok(self.get(&self.tables.outbox, key).await?.is_some())
    }

    async fn has_letter(&self, id: OrderId) -> Result<bool, Error> {
        let own = format!("{id}:");
        let query = RecordQuery {
            kind: RecordKind::Letter,
            after: Some(own.as_str().into()),
            limit: 1,
        };
        let letters = self.list(&query).await?.items;
        Ok(letters.iter().any(|(letter, _)| letter.starts_with(&own)))
    }

    /// Whether an order could not be worked on at all: its letter is one under version 0.
    async fn is_poison(&self, id: OrderId) -> Result<bool, Error> {
        let letter = RecordId {
            kind: RecordKind::Letter,
            id: format!("{id}:0").into(),
        };
        Ok(self.records(&[letter]).await?.iter().any(Option::is_some))
    }

    /// What was written for orders that are not there.
    async fn strays(&self) -> Result<Vec<Finding>, Error> {
        let tables = &self.tables;
        let mut strays = Vec::new();
        for (table, name, what) in [
            (
                &tables.journal,
                "subject",
                "it has a journal, and it is not there",
            ),
            (
                &tables.outbox,
                "order_id",
                "someone is woken for it, and it is not there",
            ),
        ] {
            let mut ids = BTreeSet::new();
            let see = |item: &Item| {
                // An adjustment of stock is a subject as well, and no order.
                let is_adjustment = !item.contains_key("event_id")
                    && item.contains_key("entry")
                    && item.get("entry") != Some(&text(LEDGER));
                let row = Row {
                    item,
                    names: &["order_id", "subject"],
                };
                let column = usize::from(name == "subject");
                if !is_adjustment {
                    ids.extend(parsed(&row, column, OrderId::parse, "order_id")?);
                }
                Ok(())
            };
            self.each(table, see).await?;
            for id in self.missing(&ids).await? {
                strays.push(Finding {
                    order_id: Some(id),
                    problem: what.to_owned(),
                });
            }
        }
        Ok(strays)
    }

    async fn missing(&self, ids: &BTreeSet<OrderId>) -> Result<Vec<OrderId>, Error> {
        let keys = ids.iter().copied().map(order_key);
        let found = self.get_all(&self.tables.orders, keys.collect()).await?;
        let found: HashSet<OrderId> = found.iter().map(id_of).collect::<Result<_, _>>()?;
        Ok(ids
            .iter()
            .copied()
            .filter(|id| !found.contains(id))
            .collect())
    }

    /// That no key has two records is its table's key to see to.
    async fn keys_disagree(&self) -> Result<Page<Finding, OrderId>, Error> {
        let placing = [Operation::PlaceOrder, Operation::PlaceContractOrder].map(Operation::code);
        let mut counts: BTreeMap<OrderId, u32> = BTreeMap::new();
        let see = |item: &Item| {
            let row = Row {
                item,
                names: &["operation", "order_id"],
            };
            let operation: u8 = number(&row, 0, "operation")?;
            let id = parsed(&row, 1, OrderId::parse, "order_id")?;
            if let Some(id) = id.filter(|_| placing.contains(&operation)) {
                *counts.entry(id).or_default() += 1;
            }
            Ok(())
        };
        self.each(&self.tables.keys, see).await?;
        let missing = self.missing(&counts.keys().copied().collect()).await?;
        let gone = missing.into_iter().map(|id| Finding {
            order_id: Some(id),
            problem: "a key stands for it, and it is not there".to_owned(),
        });
        let twice = counts.into_iter().filter(|(_, count)| *count > 1);
        let twice = twice.map(|(id, _)| Finding {
            order_id: Some(id),
            problem: "more than one key stands for it".to_owned(),
        });
        let items = gone.chain(twice).collect();
        Ok(Page { items, next: None })
    }

    async fn stock_disagrees(&self) -> Result<Vec<String>, Error> {
        // On hand and held, as they are kept and by the transfers.
        let mut figures: HashMap<String, ([i64; 2], [i64; 2])> = HashMap::new();
        let see = |item: &Item| {
            if !item.contains_key("item_id") {
                return Ok(());
            }
            let row = Row {
                item,
                names: &TRANSFER,
            };
            let transfer = rows::transfer(&row, OrderId::new(uuid::Uuid::nil()))?;
            let (there, held) = moved(&transfer);
            let name = row.text(3)?.unwrap_or_default().to_owned();
            let (_, by_transfers) = figures.entry(name).or_default();
            by_transfers[0] += there;
            by_transfers[1] += held;
            Ok(())
        };
        self.each(&self.tables.journal, see).await?;
        for item in self.partition("stock").await? {
            let stored = self
                .get(&self.tables.records, item)
                .await?
                .unwrap_or_default();
            let row = Row {
                item: &stored,
                names: &["id", "on_hand", "reserved", "available"],
            };
            let kept = [number(&row, 1, "on_hand")?, number(&row, 2, "reserved")?];
            let available: i64 = number(&row, 3, "available")?;
            let name = row.text(0)?.unwrap_or_default().to_owned();
            let (figure, _) = figures.entry(name).or_default();
            *figure = kept;
            if available != kept[0] - kept[1] {
                // No figure of the transfers is as odd.
                figure[1] = i64::MIN;
            }
        }
        let wrong = figures
            .into_iter()
            .filter(|(_, (kept, by))| kept != by || kept[1] < 0 || kept[1] > kept[0]);
        Ok(wrong
            .map(|(name, ([on_hand, reserved], [there, held]))| {
                format!(
                    "of {name} there are {on_hand} and {reserved} are held; its transfers say \
                     {there} and {held}"
                )
            })
            .collect())
    }
}

/// How much of an item a transfer adds to what is on hand, and to what is held.
fn moved(transfer: &Transfer) -> (i64, i64) {
    let amount = transfer.amount.cast_signed();
    match transfer.kind {
        TransferKind::Pending => (0, amount),
        TransferKind::Posted(_) => (-amount, -amount),
        TransferKind::Voided(_) => (0, -amount),
        TransferKind::Transfer if transfer.credit == Account::Stock => (amount, 0),
        TransferKind::Transfer => (-amount, 0),
        TransferKind::Reversal => (amount, 0),
    }
}

fn ledger_disagrees(whole: &Whole) -> Option<String> {
    let order = &whole.order;
    let (quantity, total, currency) = whole.ledger.as_ref()?;
    let lines = &order.lines;
    let items: i64 = lines
        .iter()
        .map(|line| i64::from(line.quantity.get()))
        .sum();
    let sum: i128 = lines
        .iter()
        .map(|line| i128::from(line.quantity.get()) * i128::from(line.unit_price_minor.as_minor()))
        .sum();
    if *quantity != items {
        return Some(format!(
            "its ledger entry says {quantity} items, its lines say {items}"
        ));
    }
    if sum != i128::from(order.total_minor.as_minor()) {
        return Some("its total is not the sum of its lines".to_owned());
    }
    let agrees = *total == order.total_minor.as_minor() && *currency == order.currency.as_str();
    (!agrees).then(|| "its ledger entry has another total".to_owned())
}

fn transfers_disagree(whole: &Whole) -> Option<String> {
    let order = &whole.order;
    let (mut net, mut pending) = (0, 0);
    let mut resolved = Vec::new();
    for transfer in &whole.transfers {
        let money = matches!(transfer.asset, Asset::Money(_));
        let amount = transfer.amount.cast_signed();
        match transfer.kind {
            TransferKind::Pending => pending += 1,
            TransferKind::Posted(number) => {
                resolved.push(number);
                net += if money { amount } else { 0 };
            }
            TransferKind::Voided(number) => resolved.push(number),
            TransferKind::Reversal if money => net -= amount,
            TransferKind::Reversal | TransferKind::Transfer => {}
        }
    }
    let taken = order.captured_minor.as_minor() - order.refunded_minor.as_minor();
    let distinct: HashSet<u32> = resolved.iter().copied().collect();
    let ended = matches!(
        order.status,
        Status::Completed | Status::Failed | Status::Cancelled | Status::Refunded
    );
    if net != taken {
        return Some(format!(
            "its transfers say that {net} was taken, it says {taken}"
        ));
    }
    let problem = if distinct.len() != resolved.len() {
        "a pending transfer of it was resolved twice"
    } else if pending < resolved.len() {
        "a transfer of it resolves nothing"
    } else if pending > resolved.len() && ended {
        "it has ended, and a transfer of it is still pending"
    } else {
        return None;
    };
    Some(problem.to_owned())
}
