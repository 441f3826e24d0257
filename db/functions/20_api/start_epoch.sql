-- Ends the feed's epoch and starts another: every cursor given so far is refused from now on, and
-- what was posted so far is not new to any cursor given later.
--
-- Locks ledger.payments against posting and reading, and so waits until every transaction that has
-- posted is finished, prepared ones included: a payment of the old epoch that is committed later
-- would be read by nobody. Gives up after 5 s with 55P03; nothing has changed then. Raises
-- feed_on_standby, argument_invalid.
create or replace function ledger.start_epoch(p_reason text)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
declare
  v_feed_epoch int;
begin
  if pg_is_in_recovery() then
    perform ledger_private.raise_error('{"code": "feed_on_standby"}');
  end if;

  if coalesce(p_reason, '') = '' then
    perform ledger_private.raise_argument_invalid('p_reason', 'null or empty');
  end if;

  lock table only ledger.payments in access exclusive mode;

  insert into ledger.feed_epochs (system_identifier, timeline, reason)
  select
    system_identifier,
    left(pg_walfile_name(pg_current_wal_lsn()), 8),
    p_reason
  from pg_control_system()
  returning feed_epoch into v_feed_epoch;

  -- What is posted from now on belongs to it.
  execute format(
    'alter table only ledger.payments alter column feed_epoch set default %s', v_feed_epoch
  );

  return v_feed_epoch;
end
$$;

comment on function ledger.start_epoch is
  'To be called once after every restore, failover or copy of the database, before read_feed: '
  'transaction ids begin to mean something else then. Readers of the feed start anew with null '
  'and reconcile what they read before.';
