//! tmp
use crate::open::{OpenError, Options};
use crate::*;
use domain::Clock;
use std::path::Path;
use std::sync::Arc;
/// t
pub struct Sqlite;
/// t
pub fn open(_path: &Path, _options: &Options, _clock: Arc<dyn Clock>) -> Result<Sqlite, OpenError> { unimplemented!() }
#[async_trait]
impl Store for Sqlite {
    async fn commit(&self, _: WriteSet) -> Result<Committed, Error> { unimplemented!() }
    async fn seen(&self, _: &Scope) -> Result<Option<Seen>, Error> { unimplemented!() }
    async fn order(&self, _: OrderId) -> Result<Option<Order>, Error> { unimplemented!() }
    async fn orders(&self, _: OrderQuery) -> Result<Page<Order, OrderId>, Error> { unimplemented!() }
    async fn events(&self, _: OrderId) -> Result<Vec<Event>, Error> { unimplemented!() }
    async fn records(&self, _: &[RecordId]) -> Result<Vec<Option<Record>>, Error> { unimplemented!() }
    async fn audit(&self, _: Check, _: Option<OrderId>) -> Result<Page<Finding, OrderId>, Error> { unimplemented!() }
    async fn stats(&self) -> Result<Stats, Error> { unimplemented!() }
    async fn reset(&self) -> Result<u64, Error> { unimplemented!() }
    async fn close(&self) -> Result<(), Error> { unimplemented!() }
}
