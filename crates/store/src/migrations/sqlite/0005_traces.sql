-- The trace of the request that placed an order, as W3C Trace Context writes a traceparent: what is
-- done for the order later is shown in the same trace.

alter table order_rows add column trace text;   -- null: it belonged to none
