//! Every way in which a request can fail: one code, one row. `/problems/{code}` shows the rows.
//!
//! A code is never renamed or given another meaning; clients match on it.

/// Names one sort of problem, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `admin_disabled`
    AdminDisabled,
    /// `admin_unauthorized`
    AdminUnauthorized,
    /// `amount_overflow`
    AmountOverflow,
    /// `bad_request`
    BadRequest,
    /// `currency_mixed`
    CurrencyMixed,
    /// `cursor_invalid`
    CursorInvalid,
    /// `forbidden`
    Forbidden,
    /// `header_fields_too_large`
    HeaderFieldsTooLarge,
    /// `idempotency_key_expired`
    IdempotencyKeyExpired,
    /// `idempotency_key_invalid`
    IdempotencyKeyInvalid,
    /// `idempotency_key_missing`
    IdempotencyKeyMissing,
    /// `idempotency_key_reused`
    IdempotencyKeyReused,
    /// `illegal_transition`
    IllegalTransition,
    /// `internal`
    Internal,
    /// `invalid_body`
    InvalidBody,
    /// `invalid_json`
    InvalidJson,
    /// `invalid_query`
    InvalidQuery,
    /// `item_unknown`
    ItemUnknown,
    /// `method_not_allowed`
    MethodNotAllowed,
    /// `misdirected`
    Misdirected,
    /// `not_found`
    NotFound,
    /// `orders_in_flight`
    OrdersInFlight,
    /// `outcome_unknown`
    OutcomeUnknown,
    /// `overloaded`
    Overloaded,
    /// `payload_too_large`
    PayloadTooLarge,
    /// `precondition_failed`
    PreconditionFailed,
    /// `precondition_required`
    PreconditionRequired,
    /// `price_changed`
    PriceChanged,
    /// `product_exists`
    ProductExists,
    /// `rate_limited`
    RateLimited,
    /// `refund_too_large`
    RefundTooLarge,
    /// `request_timeout`
    RequestTimeout,
    /// `simulated_failure`
    SimulatedFailure,
    /// `stock_held`
    StockHeld,
    /// `unauthorized`
    Unauthorized,
    /// `unavailable`
    Unavailable,
    /// `unsupported_media_type`
    UnsupportedMediaType,
    /// `validation_failed`
    ValidationFailed,
    /// `webhook_not_told`
    WebhookNotTold,
}

/// What there is to say of a code.
pub(crate) struct Row {
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) title: &'static str,
    retryable: Retryable,
    /// Why it happens.
    pub(crate) cause: &'static str,
    /// What to do about it.
    pub(crate) fix: &'static str,
}

impl Row {
    pub(crate) fn is_retryable(&self) -> bool {
        self.retryable == Retryable::Yes
    }
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Retryable {
    /// It may, with the same idempotency key.
    Yes,
    /// It fails again until it is changed.
    No,
}

#[expect(
    clippy::too_many_arguments,
    reason = "a row of a table, read from left to right"
)]
const fn row(
    code: &'static str,
    status: u16,
    retryable: Retryable,
    title: &'static str,
    cause: &'static str,
    fix: &'static str,
) -> Row {
    Row {
        code,
        status,
        title,
        retryable,
        cause,
        fix,
    }
}

use Retryable::{No, Yes};

/// Every code, in the order of [`Code`].
static ROWS: [Row; Code::ALL.len()] = [
    row(
        "admin_disabled",
        404,
        No,
        "The admin routes are off",
        "No admin password is configured, so there are no admin routes.",
        "Set ADMIN_PASSWORD (16 characters or more) and start again.",
    ),
    row(
        "admin_unauthorized",
        401,
        No,
        "The admin password is wrong or missing",
        "The request brings no admin password, or another than the configured one.",
        "Send the configured password in the header X-Admin-Password, or as \"password\" in a JSON body. The header wins over the body.",
    ),
    row(
        "amount_overflow",
        422,
        No,
        "The total does not fit into an amount",
        "Quantity times price, summed over the lines, is beyond 9223372036854775807 minor units.",
        "Order less, or in parts.",
    ),
    row(
        "bad_request",
        400,
        No,
        "The request is not valid HTTP",
        "The request line or a header cannot be understood, or is ambiguous; a proxy in between may have changed the request.",
        "Look at the detail, and send what HTTP/1.1 allows.",
    ),
    row(
        "currency_mixed",
        422,
        No,
        "An order has one currency",
        "A product of the order is priced in another currency than the order, or than another product of it.",
        "Order them apart, or leave out currency to take that of the products.",
    ),
    row(
        "cursor_invalid",
        400,
        No,
        "The cursor is not one that this list gave",
        "A cursor is good for the list that gave it, with the same filters; this one is of another list, or was changed.",
        "Take next_cursor as it is and repeat the filters, or begin without a cursor.",
    ),
    row(
        "forbidden",
        403,
        No,
        "The token may not do this",
        "The scope of the token is too small: read may read, write may place and change, admin may administer.",
        "Ask the operator for a token of the scope that the detail names.",
    ),
    row(
        "header_fields_too_large",
        431,
        No,
        "Too many or too long headers",
        "A request may have 100 headers of 16 KiB together, and this one has more; cookies are often the reason.",
        "Send fewer or shorter headers.",
    ),
    row(
        "idempotency_key_expired",
        409,
        No,
        "The idempotency key is too old for its answer to be given again",
        "The key placed an order long ago; its answer is no longer kept, and no second order is made.",
        "Read the order that the detail names, or use a new key for a new order.",
    ),
    row(
        "idempotency_key_invalid",
        400,
        No,
        "The idempotency key is not one",
        "The key is empty, too long, not printable ASCII, or was sent twice.",
        "Send one Idempotency-Key header of 1 to 255 printable ASCII characters, for example a UUID.",
    ),
    row(
        "idempotency_key_missing",
        400,
        No,
        "An Idempotency-Key is needed",
        "Placing an order needs a name for the request, so that a retry makes no second order.",
        "Add the header Idempotency-Key, for example with a new UUID, and repeat it with every retry of the same order.",
    ),
    row(
        "idempotency_key_reused",
        409,
        No,
        "The idempotency key was used for another request",
        "The same key came before with another body. Nothing was written.",
        "Use a new key for a new order, and the same body for a retry.",
    ),
    row(
        "illegal_transition",
        409,
        No,
        "The order cannot go there from where it is",
        "The order is in a state that does not lead to what was asked for; the detail says in which. An order under fulfilment goes its own way.",
        "Read the order again, and ask for what its status allows: cancel it before its capture, refund it after.",
    ),
    row(
        "internal",
        500,
        Yes,
        "Something failed inside",
        "This is a fault of the service. The log has a line with the request id of this answer.",
        "Retry with the same Idempotency-Key; if it stays, give the request id to the operator.",
    ),
    row(
        "invalid_body",
        400,
        No,
        "The body is not of a known form",
        "The body is JSON, but not an object of a form that this route takes.",
        "Look at the detail for the forms, and at /openapi.json for their fields.",
    ),
    row(
        "invalid_json",
        400,
        No,
        "The body is not JSON",
        "The body must be one JSON document in UTF-8, no deeper than 127 levels, with no key twice in an object.",
        "The detail says at which line and column it fails; correct it there.",
    ),
    row(
        "invalid_query",
        400,
        No,
        "The query string is not valid",
        "A parameter is unknown, stands twice, or has a value out of bounds; errors names each.",
        "Correct or leave out those that errors names; /openapi.json lists the parameters.",
    ),
    row(
        "item_unknown",
        422,
        No,
        "A line names no product",
        "The catalogue is strict: every line needs an item_id that is the product_id of a product.",
        "Take item_id from GET /v1/products, or have the operator make the product.",
    ),
    row(
        "method_not_allowed",
        405,
        No,
        "This path does not take that method",
        "There is such a path, but it does not take this method.",
        "Use a method that the header Allow of the answer lists.",
    ),
    row(
        "misdirected",
        421,
        No,
        "This server does not go by that name",
        "The request names a host that this server is not known as. It listens on loopback and lets in who shows no token, so a page of others that has its own name lead here could act in your name.",
        "Ask for localhost or 127.0.0.1, or show a token; where a proxy in front is meant to use that name, have the operator put it into server.hosts.",
    ),
    row(
        "not_found",
        404,
        No,
        "There is no such thing",
        "Nothing has this path or id, or nothing any more.",
        "Take ids as the answer to placing gave them, lower-case UUIDs; /openapi.json lists the paths.",
    ),
    row(
        "orders_in_flight",
        409,
        No,
        "Orders are being paid for",
        "A reset now would forget orders whose money is on its way.",
        "Wait until they have ended, or force it: \"force\": true.",
    ),
    row(
        "outcome_unknown",
        503,
        Yes,
        "Whether it was done is not known",
        "The storage did not answer in time to say whether the order was written.",
        "Retry with the same Idempotency-Key: there will be one order, whichever it was.",
    ),
    row(
        "overloaded",
        503,
        Yes,
        "Too many connections",
        "The service has as many connections as it takes.",
        "Retry after the time in Retry-After, and keep connections open between requests.",
    ),
    row(
        "payload_too_large",
        413,
        No,
        "The body is too large",
        "The body has more bytes than this route takes; the detail names the limit.",
        "Send fewer orders in a batch, or shorter texts.",
    ),
    row(
        "precondition_failed",
        412,
        No,
        "It was changed meanwhile",
        "If-Match names another version than there is, or If-None-Match met one that is there.",
        "Read it again, decide anew, and send the ETag that it has then.",
    ),
    row(
        "precondition_required",
        428,
        No,
        "If-Match is needed",
        "The operator wants every change to name the version that it is about.",
        "Read it, and send its ETag as If-Match; for a new one, If-None-Match: *.",
    ),
    row(
        "price_changed",
        409,
        No,
        "The total is not the one expected",
        "expected_total_minor differs from what the order comes to; nothing was written.",
        "Show the customer the new total, then send that.",
    ),
    row(
        "product_exists",
        409,
        No,
        "There is such a product",
        "A product with this id is there.",
        "Choose another id, or change the one there with PUT /v1/products/{product_id}.",
    ),
    row(
        "rate_limited",
        429,
        Yes,
        "Too many requests",
        "You send more requests than this service takes from one sender, or too many wrong tokens or passwords: of those, five a minute.",
        "Wait for as long as Retry-After says, then go on more slowly; RateLimit says how much is left.",
    ),
    row(
        "refund_too_large",
        409,
        No,
        "Not so much is left to be given back",
        "An order gives back what was captured of it, less what was given back or is about to be.",
        "GET /v1/orders/{order_id}/refunds lists that; ask for less, or leave amount_minor out for all that is left.",
    ),
    row(
        "request_timeout",
        408,
        Yes,
        "The request took too long to arrive",
        "The rest of the request did not arrive in time, and the connection was closed.",
        "Retry with the same Idempotency-Key on a better line.",
    ),
    row(
        "simulated_failure",
        500,
        Yes,
        "A failure that the request asked for",
        "X-Debug-Fail-After-Commit: true made this answer fail after the order was written.",
        "Retry with the same Idempotency-Key without that header to get the answer.",
    ),
    row(
        "stock_held",
        409,
        No,
        "More of the item is held for orders",
        "Stock that is held for orders cannot be taken away.",
        "Cancel orders, or wait until they have ended, and count again.",
    ),
    row(
        "unauthorized",
        401,
        No,
        "A token is needed",
        "A request without a token may not do this here, or its token is not known.",
        "Send Authorization: Bearer with a token, or have the operator set access.anonymous.",
    ),
    row(
        "unavailable",
        503,
        Yes,
        "The storage is not available",
        "The storage is not available, often because a disk is full; nothing was written. The log says what the storage said.",
        "Retry with the same Idempotency-Key after the time in Retry-After.",
    ),
    row(
        "unsupported_media_type",
        415,
        No,
        "The body must be JSON",
        "The request does not say that its body is JSON in UTF-8.",
        "Send Content-Type: application/json (or application/*+json). curl's -d needs -H 'Content-Type: application/json'.",
    ),
    row(
        "validation_failed",
        422,
        No,
        "A field is missing or wrong",
        "A field is missing, unknown or out of bounds; errors lists every fault of the body, each with a JSON pointer to the field. Nothing was written.",
        "Correct those fields; the same key may be used for the corrected request.",
    ),
    row(
        "webhook_not_told",
        409,
        No,
        "The webhook is not told of that",
        "The webhook is disabled, or told of other types of events only.",
        "GET /v1/webhooks/{webhook_id} shows both, and PATCH changes them.",
    ),
];

impl Code {
    /// Every code.
    pub const ALL: [Self; 39] = [
        Self::AdminDisabled,
        Self::AdminUnauthorized,
        Self::AmountOverflow,
        Self::BadRequest,
        Self::CurrencyMixed,
        Self::CursorInvalid,
        Self::Forbidden,
        Self::HeaderFieldsTooLarge,
        Self::IdempotencyKeyExpired,
        Self::IdempotencyKeyInvalid,
        Self::IdempotencyKeyMissing,
        Self::IdempotencyKeyReused,
        Self::IllegalTransition,
        Self::Internal,
        Self::InvalidBody,
        Self::InvalidJson,
        Self::InvalidQuery,
        Self::ItemUnknown,
        Self::MethodNotAllowed,
        Self::Misdirected,
        Self::NotFound,
        Self::OrdersInFlight,
        Self::OutcomeUnknown,
        Self::Overloaded,
        Self::PayloadTooLarge,
        Self::PreconditionFailed,
        Self::PreconditionRequired,
        Self::PriceChanged,
        Self::ProductExists,
        Self::RateLimited,
        Self::RefundTooLarge,
        Self::RequestTimeout,
        Self::SimulatedFailure,
        Self::StockHeld,
        Self::Unauthorized,
        Self::Unavailable,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::WebhookNotTold,
    ];

    /// The word for it on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().code
    }

    /// What stands after `/problems/`.
    pub(crate) fn path(self) -> String {
        self.as_str().replace('_', "-")
    }

    pub(crate) fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The code of a path below `/problems/`, which has hyphens for underscores.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| {
            let known = code.as_str().bytes();
            known.len() == word.len()
                && known
                    .zip(word.bytes())
                    .all(|(a, b)| a == b || (a, b) == (b'_', b'-'))
        })
    }
}
