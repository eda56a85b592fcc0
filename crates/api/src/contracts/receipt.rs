//! The receipt contract: `{customer_id, item_id, quantity}` in, `{order_id, status}` out. A key is
//! needed, unknown fields are ignored, and the order is recorded only.

use crate::App;
use crate::fields::{Faults, Fields, quantity, text};
use crate::layers::Context;
use crate::problem::Problem;
use crate::v1::orders::created;
use crate::{contracts, placing, renderers};
use axum::response::Response;
use domain::idempotency::{Fingerprint, Key, Operation};
use domain::json::Json;
use domain::place::Draft;
use domain::{Line, Money};
use utoipa::ToSchema;

pub(crate) use crate::placing::Asked;

/// An order to place.
#[derive(ToSchema)]
#[schema(as = NewReceipt)]
#[expect(dead_code, reason = "says in the document what `read` reads")]
pub(crate) struct NewReceiptBody {
    /// Who it is for.
    #[schema(min_length = 1, max_length = 128, example = "cust1")]
    customer_id: String,
    /// What is ordered.
    #[schema(min_length = 1, max_length = 128, example = "item1")]
    item_id: String,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000, example = 1)]
    quantity: u32,
}

/// Reads a body of this form.
pub(crate) fn read(app: &App, key: Key, body: &Json) -> Result<Asked, Problem> {
    let operation = Operation::PlaceContractOrder;
    Ok(Asked {
        draft: draft(app, &Fields::of_body(body)?)?,
        operation,
        renderer: renderers::RECEIPT,
        key: Some((key, Fingerprint::of(operation, body))),
        after_commit: crate::extract::AfterCommit::Answer,
    })
}

fn draft(app: &App, fields: &Fields<'_>) -> Result<Draft, Problem> {
    let mut faults = Faults::default();
    let customer_id = fields.required("customer_id", &mut faults, text);
    let item_id = fields.required("item_id", &mut faults, text);
    let quantity = fields.required("quantity", &mut faults, quantity);
    faults.check(customer_id.zip(item_id).zip(quantity)).map(
        |((customer_id, item_id), quantity)| {
            let unit_price_minor = Money::ZERO;
            Draft {
                contract: contracts::RECEIPT,
                customer_id: Some(customer_id),
                customer_name: None,
                currency: None,
                lines: vec![Line {
                    item_id: Some(item_id),
                    name: None,
                    quantity,
                    unit_price_minor,
                }],
                expected_total_minor: None,
                fulfil: app.settings.fulfil_all_contracts,
                metadata: None,
            }
        },
    )
}

/// Places the order and answers in this contract's words.
pub(crate) async fn place(app: &App, context: &Context, asked: Asked) -> Result<Response, Problem> {
    let placed = placing::place(app, context, asked).await?;

    let location = format!("/orders/{}", placed.order_id);
    Ok(created(placed, &location))
}
