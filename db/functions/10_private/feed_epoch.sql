-- The current feed epoch with the history it was started on, '<epoch>.<system identifier>.
-- <timeline>.<database>': two cursors with the same one count the same transactions.
-- Raises feed_on_standby, feed_in_transaction, feed_history_changed.
create or replace function ledger_private.feed_epoch()
returns text
language plpgsql
stable
as $$
declare
  -- Not pg_control_checkpoint(): it tells the old timeline for seconds after a promotion.
  v_timeline text;
  v_now record;
begin
  if pg_is_in_recovery() then
    perform ledger_private.raise_error('{"code": "feed_on_standby"}');
  end if;
  -- Its own transaction is the one that a snapshot does not show as running.
  if pg_current_xact_id_if_assigned() is not null then
    perform ledger_private.raise_error('{"code": "feed_in_transaction"}');
  end if;

  v_timeline := left(pg_walfile_name(pg_current_wal_lsn()), 8);
  select
    e.feed_epoch,
    e.system_identifier as started_on_system_identifier,
    e.timeline as started_on_timeline,
    c.system_identifier,
    d.oid as database,
    -- What payments get: another one where data was restored without the tables' definitions.
    (
      select pg_get_expr(f.adbin, f.adrelid)
      from pg_attrdef f
      join pg_attribute a on (a.attrelid, a.attnum) = (f.adrelid, f.adnum)
      where a.attrelid = 'ledger.payments'::regclass
        and a.attname = 'feed_epoch'
    ) as given_to_payments
  into strict v_now
  from pg_control_system() c
  cross join pg_database d
  cross join (select * from ledger.feed_epochs order by feed_epoch desc limit 1) e
  where d.datname = current_database();

  if (v_now.started_on_system_identifier, v_now.started_on_timeline, v_now.feed_epoch::text)
    is distinct from (v_now.system_identifier, v_timeline, v_now.given_to_payments)
  then
    perform ledger_private.raise_error(
      jsonb_build_object(
        'code', 'feed_history_changed',
        'feed_epoch', v_now.feed_epoch,
        'system_identifier', v_now.system_identifier::text,
        'timeline', v_timeline,
        'started_on_system_identifier', v_now.started_on_system_identifier::text,
        'started_on_timeline', v_now.started_on_timeline
      )
    );
  end if;

  return concat_ws('.', v_now.feed_epoch, v_now.system_identifier, v_timeline, v_now.database);
end
$$;
