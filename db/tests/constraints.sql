-- What the tables refuse whoever writes, a superuser too: the last line of defence.
begin;
select plan(16);
select tests.open_accounts();
create temporary table posted as
select ledger.post_payment('k', 'alice', 'bob', 5, 'USD') as result;

select tests.remember();
select throws_ok(format(sql, (result).payment_id), sqlstate, null, what)
from (
  values
    ('The same key twice', '23505',
      $$insert into ledger.idempotency_keys
          (ledger_id, key, fingerprint, payment_id, render_version, created_at)
        values (1, 'k', sha256('x'), %L, 1, now())$$),
    ('The same payment twice', '23505',
      $$insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
        values (%L, now(), 1, 1, 'payment', '{}')$$),
    ('The same code twice', '23505',
      $$insert into ledger.accounts (ledger_id, code, currency, type)
        values (1, 'alice', 'USD', 'asset')$$),
    ('An account of no ledger', '23503',
      $$insert into ledger.accounts (ledger_id, code, currency, type)
        values (77, 'x', 'USD', 'asset')$$),
    ('An account of no currency', '23503',
      $$insert into ledger.accounts (ledger_id, code, currency, type)
        values (1, 'x', 'XYZ', 'asset')$$),
    ('A negative hold', '23514',
      $$update ledger.accounts set held = -1 where code = 'alice'$$),
    ('A ledger of a taken name', '23505', $$insert into ledger.ledgers (name) values ('main')$$),
    ('A ledger with a short memory', '23514',
      $$update ledger.ledgers set idempotency_retention = '59 minutes'$$),
    ('An API key without scopes', '23514',
      $$insert into ledger.api_keys (name, secret_sha256, scopes)
        values ('x', sha256('x'), '{}')$$),
    ('An API key with a scope that is none', '23514',
      $$insert into ledger.api_keys (name, secret_sha256, scopes)
        values ('x', sha256('x'), '{root}')$$),
    ('An API key with its secret in the clear', '23514',
      $$insert into ledger.api_keys (name, secret_sha256, scopes)
        values ('x', 'secret', '{read}')$$),
    ('An epoch without a reason', '23514',
      $$insert into ledger.feed_epochs (system_identifier, timeline, reason)
        values (1, '00000001', '')$$),
    ('A second row of settings', '23505',
      $$insert into ledger_private.settings default values$$)
) as broken (what, sqlstate, sql), posted;
select tests.unchanged();
select tests.books();

select is(
  (
    select array_agg(indexrelid::regclass::text)
    from pg_index i
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
    where i.indrelid = 'ledger.accounts'::regclass
      and a.attname in ('balance', 'held', 'version', 'status', 'min_balance', 'max_balance')
  ),
  null, 'No index holds a column that posting changes, so that balance updates stay HOT'
);

select * from finish();
rollback;
