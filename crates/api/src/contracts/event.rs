//! The event contract: `{customer_name, product_name, quantity}` in, a message and the order out.
//! A key is honoured, not needed; unknown fields are ignored, and the order is fulfilled.

use crate::App;
use crate::extract::AfterCommit;
use crate::fields::{Faults, Fields, quantity, text};
use crate::layers::Context;
use crate::placing::{self, Asked};
use crate::problem::Problem;
use crate::v1::orders::created;
use crate::{contracts, renderers};
use axum::response::Response;
use domain::idempotency::{Fingerprint, Key, Operation};
use domain::json::Json;
use domain::place::Draft;
use domain::{Line, Money};
use utoipa::ToSchema;

/// An order to place.
#[derive(ToSchema)]
#[schema(as = NewEventOrder)]
#[expect(dead_code, reason = "says in the document what `read` reads")]
pub(crate) struct NewEventOrderBody {
    /// Who it is for.
    #[schema(min_length = 1, max_length = 200, example = "Ada")]
    customer_name: String,
    /// What is ordered.
    #[schema(min_length = 1, max_length = 200, example = "Fountain pen")]
    product_name: String,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000, example = 1)]
    quantity: u32,
}

/// Reads a body of this form.
pub(super) fn read(key: Option<Key>, body: &Json) -> Result<Asked, Problem> {
    let operation = Operation::PlaceContractOrder;
    Ok(Asked {
        draft: draft(&Fields::of_body(body)?).map_err(|problem| problem.with_status(400))?,
        operation,
        renderer: renderers::EVENT,
        key: key.map(|key| (key, Fingerprint::of(operation, body))),
        after_commit: AfterCommit::Answer,
    })
}

fn draft(fields: &Fields<'_>) -> Result<Draft, Problem> {
    let mut faults = Faults::default();
    let customer_name = fields.required("customer_name", &mut faults, text);
    let product_name = fields.required("product_name", &mut faults, text);
    let quantity = fields.required("quantity", &mut faults, quantity);
    let read = faults.check(customer_name.zip(product_name).zip(quantity));
    read.map(|((customer_name, product_name), quantity)| Draft {
        contract: contracts::EVENT,
        customer_id: None,
        customer_name: Some(customer_name),
        currency: None,
        lines: vec![Line {
            item_id: None,
            name: Some(product_name),
            quantity,
            unit_price_minor: Money::ZERO,
        }],
        expected_total_minor: None,
        fulfil: true,
        metadata: None,
    })
}

/// Places the order and answers in this contract's words.
pub(super) async fn place(app: &App, context: &Context, asked: Asked) -> Result<Response, Problem> {
    let placed = placing::place(app, context, asked).await?;

    let location = format!("/orders/{}/", placed.order_id);
    Ok(created(placed, &location))
}
