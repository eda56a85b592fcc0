-- Operators may leave a note in the timeline of an order, and what they discard is there as well: kinds of
-- events that the view has to name.

drop view events;

create view events as
select
  printf('%08x-%04x-7%03x-%04x-%012x', e.event_id >> 28, (e.event_id >> 12) & 65535,
    e.event_id & 4095, 32768 | (e.random >> 48), e.random & 281474976710655) as event_id,
  printf('%08x-%04x-%x%03x-%04x-%012x', o.order_id >> 28, (o.order_id >> 12) & 65535,
    iif(o.random >> 62, 4, 7), o.order_id & 4095, 32768 | ((o.random >> 48) & 16383),
    o.random & 281474976710655) as order_id,
  sequence,
  case kind
    when 1 then 'order.created.v1' when 2 then 'order.labelled.v1' when 3 then 'order.hidden.v1'
    when 4 then 'order.processing.v1' when 5 then 'stock.reserved.v1'
    when 6 then 'payment.authorised.v1' when 7 then 'payment.captured.v1'
    when 8 then 'stock.committed.v1' when 9 then 'order.completed.v1'
    when 10 then 'order.try_failed.v1' when 11 then 'payment.declined.v1'
    when 12 then 'order.cancel_requested.v1' when 13 then 'order.compensating.v1'
    when 14 then 'payment.voided.v1' when 15 then 'stock.released.v1'
    when 16 then 'order.failed.v1' when 17 then 'order.cancelled.v1'
    when 18 then 'order.needs_review.v1' when 19 then 'order.redriven.v1'
    when 20 then 'order.decided.v1' when 21 then 'refund.requested.v1'
    when 22 then 'payment.refunded.v1' when 23 then 'refund.failed.v1'
    when 24 then 'order.refunded.v1'
    when 25 then 'order.noted.v1' when 26 then 'dead_letter.discarded.v1' end as kind,
  payload,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(occurred_at, created_at) / 1000.0, 'unixepoch')
    as occurred_at,
  traceparent
from event_rows as e join order_rows as o on o.order_id = e.event_id - after_order;
