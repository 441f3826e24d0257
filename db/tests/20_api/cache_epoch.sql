begin;
select plan(6);

create temporary table epochs as select ledger.cache_epoch() as epoch;
select matches(epoch, '^[0-9a-f]{12}$', 'Twelve hex digits') from epochs;
select is(ledger.cache_epoch(), epoch, 'It stays the same') from epochs;
set local timezone = 'Asia/Kathmandu';
set local datestyle = 'German';
set local extra_float_digits = -5;
select is(ledger.cache_epoch(), epoch, 'whatever the session has set') from epochs;
select tests.open_accounts();
select is(ledger.cache_epoch(), epoch, 'and whatever is posted') from epochs;
update ledger_private.settings set install_id = gen_random_uuid();
select isnt(ledger.cache_epoch(), epoch, 'Another install has another') from epochs;
-- What a restart, a promotion and a copy do to it is shown in tests/relay.
select is(
  (
    select left(
      encode(
        sha256(
          concat_ws(
            '.', s.install_id, (select oid from pg_database where datname = current_database()),
            (select system_identifier from pg_control_system()),
            left(pg_walfile_name(pg_current_wal_lsn()), 8),
            extract(epoch from pg_postmaster_start_time())
          )::bytea
        ),
        'hex'
      ),
      12
    )
    from ledger_private.settings s
  ),
  ledger.cache_epoch(), 'It is made of these'
);

select * from finish();
rollback;
