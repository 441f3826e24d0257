-- How far a standby has come: what the relay's lease was then, and the position up to which all
-- that is replayed can be seen by the next statement. Of two standbys that went different ways
-- after a failover, positions do not tell which is which; the generation does, as it is a random
-- word of the one relay. lsn is null on a primary, also on one that was a standby. Locks nothing.
create or replace function ledger.replica_position()
returns table (generation text, lsn bigint)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select
    l.generation,
    case
      when pg_is_in_recovery() then (pg_last_wal_replay_lsn() - '0/0')::bigint
    end
  from ledger_private.relay_lease l;
end
$$;

comment on function ledger.replica_position is
  'What a standby has replayed: the relay''s generation and the position in the log, as bytes. '
  'Read it in a statement before the one that reads a balance. lsn is null on a primary.';
