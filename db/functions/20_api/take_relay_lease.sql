-- Makes p_holder the relay, with the next higher term, if nobody else is it: its lease is not
-- taken, was released, or has run out. Whoever holds it already gets a new term at once: it asks
-- only when it has lost its thread. taken is false otherwise, and the rest says who has the lease.
--
-- Locks the lease's row; a second taker waits for the first one's commit, and then has not got it.
-- Durable whatever the session's synchronous_commit. Raises feed_on_standby, argument_invalid.
create or replace function ledger.take_relay_lease(p_holder text, p_generation text)
returns table (taken boolean, term bigint, holder text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1s'
as $$
#variable_conflict use_column
declare
  v_lease ledger_private.relay_lease;
begin
  if pg_is_in_recovery() then
    perform ledger_private.raise_error('{"code": "feed_on_standby"}');
  end if;

  if num_nulls(p_holder, p_generation) > 0 then
    perform ledger_private.raise_argument_invalid(
      case when p_holder is null then 'p_holder' else 'p_generation' end, 'null'
    );
  end if;

  select * into strict v_lease from ledger_private.relay_lease;
  if v_lease.holder is distinct from p_holder
    and ledger_private.is_lease_running(v_lease.expires_at)
  then
    return query select false, v_lease.term, v_lease.holder;
    return;
  end if;

  perform set_config('synchronous_commit', 'on', true);
  update ledger_private.relay_lease l
  set
    term = l.term + 1,
    holder = p_holder,
    generation = p_generation,
    taken_at = clock_timestamp(),
    expires_at = clock_timestamp() + ledger_private.lease_length()
  where l.term = v_lease.term
  returning true, l.term, l.holder
  into taken, term, holder;
  if not found then
    -- Somebody was faster.
    return query
    select false, l.term, l.holder
    from ledger_private.relay_lease l;
    return;
  end if;

  -- Makes PostgreSQL drop what every listener has read. Otherwise a sender does that, after it has
  -- sent; so once the queue was full, no one could send, ever, though all is read meanwhile.
  perform pg_notification_queue_usage();
  return next;
end
$$;

comment on function ledger.take_relay_lease is
  'For the relay: becomes the one relay for two seconds, which tell_changes prolongs, or says '
  'who is. A take-over has a higher term than all before.';
