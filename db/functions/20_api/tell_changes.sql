-- A poll of the relay: reads what changed, as read_changes does, and sends it to the listeners in
-- one transaction, if the lease of p_term is running; see ledger_private.tell_listeners. Tells of
-- nothing only with p_heartbeat: that all was told, and nothing has changed. p_limit: 1 to 5000
-- payments.
--
-- changes: a JSON array. is_leading false: the lease is not running, nothing was sent, and nothing
-- but that is to be believed; who has nothing to send does not look at it. Where has_more is true
-- no message is a heartbeat. p_epoch: ledger.cache_epoch().
--
-- Sending takes an id and a lock of the whole cluster that other transactions with a NOTIFY wait
-- for, until the commit is flushed: call it with synchronous_commit off, in a transaction of its
-- own. When the queue is full it raises 54000. Locks the lease's row when it is prolonged, about
-- once a second. Raises argument_invalid, and what read_changes raises.
create or replace function ledger.tell_changes(
  p_term bigint,
  p_generation text,
  p_cursor ledger.changes_cursor,
  p_heartbeat boolean,
  p_epoch text,
  p_limit int default 1000
)
returns table (
  is_leading boolean,
  next_cursor ledger.changes_cursor,
  has_more boolean,
  payment_count int,
  changes text,
  message_count int
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
set lock_timeout = '1s'
as $$
declare
  v_keys record;
  v_page ledger_private.changes_page;
  v_messages text[];
begin
  if num_nulls(p_term, p_generation, p_heartbeat, p_epoch) > 0 then
    perform ledger_private.raise_argument_invalid(
      case
        when p_term is null then 'p_term'
        when p_generation is null then 'p_generation'
        when p_heartbeat is null then 'p_heartbeat'
        else 'p_epoch'
      end,
      'null'
    );
  end if;

  -- First, while this transaction has written nothing: a feed is not read by who has.
  v_page := ledger_private.changes_since(p_cursor, p_limit);
  next_cursor := v_page.next_cursor;
  has_more := v_page.has_more;
  payment_count := v_page.payment_count;
  changes := concat('[', array_to_string(v_page.changes, ','), ']');
  is_leading := true;
  message_count := 0;
  if cardinality(v_page.changes) > 0 or p_heartbeat and not v_page.has_more then
    v_keys := ledger_private.notification_keys();
    v_messages := ledger_private.relay_messages(
      p_term, p_epoch, p_generation, statement_timestamp(), v_page.changes,
      case when not v_page.has_more then v_page.lsn end, v_keys.inner_key, v_keys.outer_key
    );
    is_leading := ledger_private.tell_listeners(p_term, p_generation, v_keys.channel, v_messages);
    message_count := cardinality(v_messages);
  end if;
  return next;
end
$$;

comment on function ledger.tell_changes is
  'For the relay: sends signed messages of what changed since a cursor to all listeners, as long '
  'as its lease is running, and prolongs the lease.';
