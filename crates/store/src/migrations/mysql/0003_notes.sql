-- Operators may leave a note in the timeline of an order, and what they discard is there as well: kinds of
-- events that the view has to name.

create or replace view events as
select
  uuid_text(event_id) as event_id, uuid_text(order_id) as order_id, sequence,
  elt(kind, 'order.created.v1', 'order.labelled.v1', 'order.hidden.v1', 'order.processing.v1',
    'stock.reserved.v1', 'payment.authorised.v1', 'payment.captured.v1', 'stock.committed.v1',
    'order.completed.v1', 'order.try_failed.v1', 'payment.declined.v1',
    'order.cancel_requested.v1', 'order.compensating.v1', 'payment.voided.v1',
    'stock.released.v1', 'order.failed.v1', 'order.cancelled.v1', 'order.needs_review.v1',
    'order.redriven.v1', 'order.decided.v1', 'refund.requested.v1', 'payment.refunded.v1',
    'refund.failed.v1', 'order.refunded.v1', 'order.noted.v1',
    'dead_letter.discarded.v1') as kind,
  payload, from_unixtime(occurred_at / 1000) as occurred_at, traceparent
from event_rows;
