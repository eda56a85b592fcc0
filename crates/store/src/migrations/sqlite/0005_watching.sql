-- The trace of the request that placed an order, as W3C Trace Context writes a traceparent: what is
-- done for the order later is shown in the same trace.

alter table order_rows add column trace text;   -- null: it belonged to none

-- The dead letters that wait for an operator, so that counting them costs nothing where there are none.
-- Bodies are JSON without blanks: a quote within a text has a backslash before it.
create index letters_waiting on record_rows (id)
  where kind = 'letter' and instr(body, '"state":"waiting"') > 0;
