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

-- The dead letters that wait for an operator, so that counting them costs nothing where there are none.
-- Bodies are JSON without blanks: a quote within a text has a backslash before it. Its words are
-- bytes here, since those in quotes are of whatever character set a client speaks: letter, and
-- "state":"waiting".
set @is_there = (select count(*) from information_schema.columns
  where table_schema = database() and table_name = 'record_rows' and column_name = 'waiting');
set @change = if(@is_there, 'do 0',
  'alter table record_rows
     add column waiting tinyint generated always as (if(kind = x''6c6574746572''
       and locate(x''227374617465223a2277616974696e6722'', body) > 0, 1, null)) virtual,
     add index letters_waiting (waiting)');
prepare change_records from @change;
execute change_records;
deallocate prepare change_records;
