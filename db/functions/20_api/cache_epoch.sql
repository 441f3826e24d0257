-- What a cached version is a version of: this install, in this database of this cluster, on this
-- timeline, since this start of the server. After a restore, a promotion or a copy it is another,
-- and after a restart too: whatever happened meanwhile, nobody has heard of it.
--
-- Not pg_control_checkpoint(): it tells the old timeline for seconds after a promotion. Null on a
-- standby, which has no timeline of its own. Locks nothing.
create or replace function ledger.cache_epoch()
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_is_in_recovery() then
    return null;
  end if;

  return (
    select left(
      encode(
        sha256(
          convert_to(
            concat_ws(
              '.',
              s.install_id,
              d.oid,
              c.system_identifier,
              left(pg_walfile_name(pg_current_wal_lsn()), 8),
              extract(epoch from pg_postmaster_start_time())
            ),
            'UTF8'
          )
        ),
        'hex'
      ),
      12
    )
    from ledger_private.settings s
    cross join pg_control_system() c
    cross join pg_database d
    where d.datname = current_database()
  );
end
$$;

comment on function ledger.cache_epoch is
  'The history that versions belong to, as 12 hex digits: a version is comparable only with '
  'versions of the same epoch. Another one after a restart, a restore or a failover. Null on a '
  'standby.';
