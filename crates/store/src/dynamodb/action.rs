//! One item that is written, under a condition.

use super::call::{again, failed, incomplete};
use super::items::Item;
use crate::Error;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValue, TransactWriteItem, Update,
};
use std::collections::HashMap;

/// What is done to an item. Attributes in expressions are written `#name`, since many names are
/// reserved words; values are written `:name`.
pub(super) struct Action {
    pub(super) table: String,
    pub(super) write: Write,
    pub(super) condition: Option<&'static str>,
    pub(super) values: Vec<(&'static str, AttributeValue)>,
}

pub(super) enum Write {
    /// The item is this one then.
    Put(Item),
    /// The item with this key is changed by an expression.
    Update(Item, &'static str),
    /// The item with this key is removed.
    Delete(Item),
}

impl Action {
    /// An item that must not be there yet; `key` is the name of its partition key.
    pub(super) fn new(table: &str, item: Item, key: NewKey) -> Self {
        Self {
            table: table.to_owned(),
            write: Write::Put(item),
            condition: Some(key.is_free()),
            values: Vec::new(),
        }
    }

    /// As a part of a transaction.
    pub(super) fn in_transaction(self) -> Result<TransactWriteItem, Error> {
        let (condition, table) = (self.condition.map(ToOwned::to_owned), self.table);
        let expressions = [self.condition, self.write.expression()];
        let names = names(expressions.into_iter().flatten());
        let values = values(self.values);
        let item = TransactWriteItem::builder();
        let item = match self.write {
            Write::Put(put) => {
                let put = Put::builder().table_name(table).set_item(Some(put));
                let put = put.set_condition_expression(condition);
                let put = put.set_expression_attribute_names(names);
                let put = put.set_expression_attribute_values(values);
                item.put(put.build().map_err(incomplete)?)
            }
            Write::Update(key, expression) => {
                let update = Update::builder().table_name(table).set_key(Some(key));
                let update = update.update_expression(expression);
                let update = update.set_condition_expression(condition);
                let update = update.set_expression_attribute_names(names);
                let update = update.set_expression_attribute_values(values);
                item.update(update.build().map_err(incomplete)?)
            }
            Write::Delete(key) => {
                let delete = Delete::builder().table_name(table).set_key(Some(key));
                let delete = delete.set_condition_expression(condition);
                let delete = delete.set_expression_attribute_names(names);
                let delete = delete.set_expression_attribute_values(values);
                item.delete(delete.build().map_err(incomplete)?)
            }
        };
        Ok(item.build())
    }

    /// An update by itself: the item as it is then, or `None` where its condition does not hold.
    pub(super) async fn update(self, client: &Client) -> Result<Option<Item>, Error> {
        let Write::Update(key, expression) = self.write else {
            return Err(Error::Corrupt("only an update goes by itself".into()));
        };
        let expressions = [self.condition, Some(expression)];
        let update = client
            .update_item()
            .table_name(self.table)
            .set_key(Some(key))
            .update_expression(expression)
            .set_condition_expression(self.condition.map(ToOwned::to_owned))
            .set_expression_attribute_names(names(expressions.into_iter().flatten()))
            .set_expression_attribute_values(values(self.values))
            .return_values(ReturnValue::AllNew);
        match again(|| update.clone().send()).await {
            Ok(updated) => Ok(Some(updated.attributes.unwrap_or_default())),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

impl Write {
    const fn expression(&self) -> Option<&'static str> {
        match self {
            Self::Update(_, expression) => Some(expression),
            Self::Put(_) | Self::Delete(_) => None,
        }
    }
}

/// The partition key of an item that must not be there yet.
#[derive(Clone, Copy, Debug)]
pub(super) enum NewKey {
    OrderId,
    Subject,
    Kind,
}

impl NewKey {
    const fn is_free(self) -> &'static str {
        match self {
            Self::OrderId => "attribute_not_exists(#order_id)",
            Self::Subject => "attribute_not_exists(#subject)",
            Self::Kind => "attribute_not_exists(#kind)",
        }
    }
}

/// The attributes that expressions name.
pub(super) fn names<'e>(
    expressions: impl Iterator<Item = &'e str>,
) -> Option<HashMap<String, String>> {
    let mut names = HashMap::new();
    for part in expressions.flat_map(|it| it.split('#').skip(1)) {
        let is_in = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = part
            .find(|character| !is_in(character))
            .unwrap_or(part.len());
        let name = &part[..end];
        names.insert(format!("#{name}"), name.to_owned());
    }
    (!names.is_empty()).then_some(names)
}

fn values(values: Vec<(&'static str, AttributeValue)>) -> Option<HashMap<String, AttributeValue>> {
    let named = |(name, value): (&str, AttributeValue)| (name.to_owned(), value);
    (!values.is_empty()).then(|| values.into_iter().map(named).collect())
}
