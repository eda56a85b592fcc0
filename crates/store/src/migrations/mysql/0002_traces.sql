-- The trace of the request that placed an order, as W3C Trace Context writes a traceparent: what is
-- done for the order later is shown in the same trace.

-- This engine commits the change by itself: whoever was killed behind it finds the column there.
set @is_there = (select count(*) from information_schema.columns
  where table_schema = database() and table_name = 'order_rows' and column_name = 'trace');
set @change = if(@is_there, 'do 0',
  'alter table order_rows add column trace varchar(64)');   -- null: it belonged to none
prepare change_orders from @change;
execute change_orders;
deallocate prepare change_orders;
