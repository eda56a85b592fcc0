//! Reading the databases of older systems, whose orders are imported. Nothing is written there, and
//! nothing is decided: what a row says is handed on as it is.
//!
//! Four forms are known, by their tables: receipts that are numbered, receipts with UUIDs, baskets,
//! and orders in a table of `DynamoDB`. A file is one of SQLite's; baskets may also be in a `MariaDB`
//! or `MySQL` database.

use crate::open::{Location, OpenError, locate, redacted};
use rusqlite::OpenFlags;
use rusqlite::types::ValueRef;
use sqlx::{Connection as _, MySqlConnection, Row as _};
use std::collections::BTreeMap;

/// Whose tables they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Receipts whose ids are numbers.
    NumberedReceipts,
    /// Receipts whose ids are UUIDs.
    Receipts,
    /// Baskets.
    Baskets,
    /// Orders of one product each, told of by events.
    Events,
}

/// An order as an older system kept it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// Its id, as text.
    pub id: String,
    /// Who it is for, as clients number their customers.
    pub customer_id: Option<String>,
    /// Who it is for, for people.
    pub customer_name: Option<String>,
    /// What was ordered, and how many.
    pub lines: Vec<(String, i64)>,
    /// The word that stands as its status.
    pub status: Option<String>,
    /// When it was placed, where that is known: date and time, UTC.
    pub created_at: Option<String>,
    /// How many ledger entries it has; `None` where the system keeps no ledger.
    pub entries: Option<i64>,
    /// The keys whose answers are about it: one, where all is well.
    pub keys: Vec<ForeignKey>,
}

/// What an older system remembers of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignKey {
    /// The key.
    pub key: String,
    /// The HTTP status of the answer.
    pub status: i64,
    /// The body of the answer.
    pub reply: String,
}

/// A row that belongs to no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Of which table.
    pub table: String,
    /// Which row.
    pub row: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A database that is read.
pub struct Source {
    database: Database,
    system: System,
}

enum Database {
    File(rusqlite::Connection),
    Server(MySqlConnection),
    #[cfg(feature = "aws")]
    Table(crate::dynamodb::foreign::Reader),
}

impl Source {
    /// Opens the database at `url`, or the file of that name.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let url = if url.contains(':') {
            url.to_owned()
        } else {
            format!("sqlite:{url}")
        };
        let refuse = |why: &str| {
            OpenError::Inaccessible(format!(
                "Cannot read the orders in {}.\nWhy: {why}.\n\
                 Fix: name the database of one of the older systems: a SQLite file, \
                 mysql://USER:PASSWORD@HOST:3306/DATABASE or dynamodb://TABLE.",
                redacted(&url)
            ))
        };
        let mut database = match locate(&url)? {
            Location::Sqlite(path) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let opened = rusqlite::Connection::open_with_flags(path, flags);
                Database::File(opened.map_err(|error| refuse(&error.to_string()))?)
            }
            Location::Mysql(url) => {
                let opened = MySqlConnection::connect(&url).await;
                Database::Server(opened.map_err(|error| refuse(&error.to_string()))?)
            }
            Location::Postgres(_) => return Err(refuse("none of them keeps them there")),
            #[cfg(feature = "aws")]
            Location::Dynamodb { prefix: table, .. } => {
                let opened = crate::dynamodb::foreign::Reader::open(&table).await;
                return Ok(Self {
                    database: Database::Table(opened.map_err(|error| refuse(&error))?),
                    system: System::Events,
                });
            }
            #[cfg(not(feature = "aws"))]
            Location::Dynamodb { .. } => {
                return Err(refuse("this orderd was built without the feature `aws`"));
            }
        };
        let columns = database.columns().await.map_err(|error| refuse(&error))?;
        let system = recognised(&columns).map_err(refuse)?;
        if matches!(database, Database::Server(_)) && system != System::Baskets {
            return Err(refuse("that system keeps its orders in a file"));
        }
        Ok(Self { database, system })
    }

    /// Whose orders they are.
    #[must_use]
    pub fn system(&self) -> System {
        self.system
    }

    /// How many orders there are.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub async fn count(&mut self) -> Result<u64, String> {
        #[cfg(feature = "aws")]
        if let Database::Table(table) = &self.database {
            return table.count().await;
        }
        let rows = self
            .database
            .read("select count(*) from orders", &[])
            .await?;
        let count = rows.first().and_then(|row| row[0].as_deref()?.parse().ok());
        count.ok_or_else(|| "they cannot be counted".to_owned())
    }

    /// The next orders after the one with this id, in an order of their own; none at the end.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub async fn orders(&mut self, after: Option<&str>) -> Result<Vec<Foreign>, String> {
        #[cfg(feature = "aws")]
        if let Database::Table(table) = &self.database {
            return table.orders(after).await;
        }
        match self.system {
            System::NumberedReceipts => self.receipts(NUMBERED, after.unwrap_or("0")).await,
            System::Receipts => self.receipts(RECEIPTS, after.unwrap_or("")).await,
            System::Baskets => self.baskets(after.unwrap_or("")).await,
            System::Events => Ok(Vec::new()),
        }
    }

    async fn receipts(&mut self, sql: &'static str, after: &str) -> Result<Vec<Foreign>, String> {
        let rows = self.database.read(sql, &[after]).await?;
        let mut orders: Vec<Foreign> = Vec::new();
        for row in &rows {
            let id = row[0].clone().unwrap_or_default();
            if orders.last().is_none_or(|last| last.id != id) {
                orders.push(Foreign {
                    id,
                    customer_id: row[1].clone(),
                    lines: vec![(row[2].clone().unwrap_or_default(), whole(row, 3))],
                    status: row[4].clone(),
                    created_at: row[5].clone(),
                    entries: Some(whole(row, 6)),
                    ..Foreign::default()
                });
            }
            if let (Some(order), Some(key)) = (orders.last_mut(), row[7].clone()) {
                order.keys.push(ForeignKey {
                    key,
                    status: whole(row, 8),
                    reply: row[9].clone().unwrap_or_default(),
                });
            }
        }
        Ok(orders)
    }

    async fn baskets(&mut self, after: &str) -> Result<Vec<Foreign>, String> {
        let rows = self.database.read(BASKETS, &[after]).await?;
        let mut orders: BTreeMap<String, Foreign> = BTreeMap::new();
        for row in &rows {
            let id = row[0].clone().unwrap_or_default();
            let order = orders.entry(id.clone()).or_insert_with(|| Foreign {
                id,
                customer_name: row[1].clone(),
                status: row[2].clone(),
                ..Foreign::default()
            });
            if let Some(name) = &row[3] {
                order.lines.push((name.clone(), whole(row, 4)));
            }
        }
        Ok(orders.into_values().collect())
    }

    /// The rows that belong to no order.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub async fn strays(&mut self) -> Result<Vec<Stray>, String> {
        let sql = match self.system {
            System::NumberedReceipts => NUMBERED_STRAYS,
            System::Receipts => STRAYS,
            System::Baskets => BASKET_STRAYS,
            System::Events => return Ok(Vec::new()),
        };
        let rows = self.database.read(sql, &[]).await?;
        let stray = |row: &Row| {
            let [table, row, reason] =
                [0, 1, 2].map(|column| row[column].clone().unwrap_or_default());
            Stray { table, row, reason }
        };
        Ok(rows.iter().map(stray).collect())
    }
}

/// Each: id, customer, item, quantity, status, created, ledger entries; key, status, reply.
const NUMBERED: &str = "
    with answered as (
      select idem_key, req_code, req_response,
        case when json_valid(req_response) then json_extract(req_response, '$.order_id') end
          as order_id
      from idempotency_records where req_status = 'completed'
    )
    select o.order_id, customer_id, item_id, quantity, status, created,
      (select count(*) from ledger as l where l.order_id = o.order_id), idem_key, req_code,
      req_response
    from (select * from orders where order_id > cast(?1 as integer) order by order_id limit 500)
      as o left join answered as k on k.order_id = o.order_id
    order by o.order_id";

const NUMBERED_STRAYS: &str = "
    select 'idempotency_records', idem_key, 'no order is what its answer says' from (
      select idem_key,
        case when json_valid(req_response) then json_extract(req_response, '$.order_id') end
          as order_id
      from idempotency_records)
    where order_id is null or order_id not in (select order_id from orders)
    union all
    select 'ledger', ledger_id, 'there is no order ' || order_id from ledger
    where order_id not in (select order_id from orders)";

const RECEIPTS: &str = "
    select o.order_id, customer_id, item_id, quantity, status, null,
      (select count(*) from ledger as l where l.order_id = o.order_id), k.idempotency_key,
      status_code, response_body
    from (select * from orders where order_id > ?1 order by order_id limit 500) as o
      left join idempotency_records as k on k.idempotency_key = o.idempotency_key
    order by o.order_id";

const STRAYS: &str = "
    select 'idempotency_records', idempotency_key, 'no order is what its answer says'
    from idempotency_records
    where idempotency_key not in (
      select idempotency_key from orders where idempotency_key is not null)
    union all
    select 'ledger', cast(ledger_id as text), 'there is no order ' || order_id from ledger
    where order_id not in (select order_id from orders)";

/// Each: id, customer, status, item, quantity; a row for each item.
const BASKETS: &str = "
    select o.id, customer_name, status, item_name, quantity
    from (select * from orders where id > ? order by id limit 500) as o
      left join order_items as i on i.order_id = o.id
    order by o.id, i.id";

const BASKET_STRAYS: &str = "
    select 'order_items', cast(id as char), 'its order is not there' from order_items
    where order_id is null or order_id not in (select id from orders)";

/// The columns of a row, as text.
type Row = Vec<Option<String>>;

fn whole(row: &Row, column: usize) -> i64 {
    let text = row[column].as_deref().unwrap_or_default();
    text.parse().unwrap_or_default()
}

fn recognised(columns: &[(String, String)]) -> Result<System, &'static str> {
    let has = |table: &str, column: &str| {
        let there = |it: &(String, String)| it.0 == table && it.1 == column;
        columns.iter().any(there)
    };
    if has("order_rows", "order_id") {
        return Err("they are orderd's own: a file is moved by `orderd backup` and `restore`");
    }
    if has("order_items", "item_name") && has("orders", "customer_name") {
        return Ok(System::Baskets);
    }
    if has("idempotency_records", "idem_key") && has("orders", "item_id") {
        return Ok(System::NumberedReceipts);
    }
    if has("orders", "idempotency_key") && has("ledger", "ledger_id") {
        return Ok(System::Receipts);
    }
    Err("it has the tables of none of them")
}

impl Database {
    /// The columns of all tables, with the name of their table.
    async fn columns(&mut self) -> Result<Vec<(String, String)>, String> {
        let sql = match self {
            Self::File(_) => {
                "select t.name, c.name from sqlite_schema as t, pragma_table_info(t.name) as c
                 where t.type = 'table'"
            }
            #[cfg(feature = "aws")]
            Self::Table(_) => return Ok(Vec::new()),
            Self::Server(_) => {
                "select table_name, column_name from information_schema.columns
                 where table_schema = database()"
            }
        };
        let rows = self.read(sql, &[]).await?;
        let pair = |row: Row| {
            let mut columns = row.into_iter().map(Option::unwrap_or_default);
            (
                columns.next().unwrap_or_default(),
                columns.next().unwrap_or_default(),
            )
        };
        Ok(rows.into_iter().map(pair).collect())
    }

    async fn read(&mut self, sql: &'static str, values: &[&str]) -> Result<Vec<Row>, String> {
        match self {
            Self::File(connection) => {
                of_file(connection, sql, values).map_err(|error| error.to_string())
            }
            #[cfg(feature = "aws")]
            Self::Table(_) => Ok(Vec::new()),
            Self::Server(connection) => {
                let rows = of_server(connection, sql, values).await;
                rows.map_err(|error| error.to_string())
            }
        }
    }
}

fn of_file(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[&str],
) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let text = |value: ValueRef<'_>| match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    };
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
        let column = |number| row.get_ref(number).map(text);
        (0..columns).map(column).collect()
    })?;
    rows.collect()
}

async fn of_server(
    connection: &mut MySqlConnection,
    sql: &'static str,
    values: &[&str],
) -> Result<Vec<Row>, sqlx::Error> {
    let query = values
        .iter()
        .fold(sqlx::query(sql), |query, value| query.bind(*value));
    let rows = query.fetch_all(connection).await?;
    let text = |row: &sqlx::mysql::MySqlRow, column: usize| {
        // Numbers come as such where a statement is prepared.
        let number = row.try_get::<Option<i64>, _>(column);
        let number = number.or_else(|_| {
            let narrow = row.try_get::<Option<i32>, _>(column)?;
            Ok::<_, sqlx::Error>(narrow.map(i64::from))
        });
        match number {
            Ok(number) => Ok(number.map(|number| number.to_string())),
            Err(_) => row.try_get_unchecked::<Option<String>, _>(column),
        }
    };
    rows.iter()
        .map(|row| (0..row.len()).map(|column| text(row, column)).collect())
        .collect()
}
