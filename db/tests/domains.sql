-- The form of what enters a column, whoever writes it.
begin;
select plan(55);

create temporary table casts (domain text, value text, good boolean);
insert into casts
select 'amount', v, true from unnest(array['1', '100.00', '99999999999999999999999999999999999999']) v
union all
select 'amount', v, false from unnest(array['0', '-1', 'NaN']) v
union all
select 'balance', v, true from unnest(array['0', '-99999999999999999999999999999999999999', '1']) v
union all
select 'balance', v, false from unnest(array['NaN']) v
union all
select 'held', v, true from unnest(array['0', '1']) v
union all
select 'held', v, false from unnest(array['-1', 'NaN']) v
union all
select 'account_type', v, true from unnest(array['asset', 'liability', 'equity', 'income', 'expense']) v
union all
select 'account_type', v, false from unnest(array['', 'Asset', 'cash']) v
union all
select 'account_status', v, true from unnest(array['open', 'frozen', 'closed']) v
union all
select 'account_status', v, false from unnest(array['', 'OPEN', 'deleted']) v
union all
select 'metadata', v, true from unnest(array['{}', '{"a": [1]}']) v
union all
select 'metadata', v, false from unnest(array['[]', 'null', '"x"', '1']) v
union all
select 'account_code', v, true from unnest(array['a', repeat('a', 128)]) v
union all
select 'account_code', v, false from unnest(array['', 'a b', repeat('a', 129)]) v
union all
select 'currency_code', v, true from unnest(array['USD']) v
union all
select 'currency_code', v, false from unnest(array['', 'usd']) v
union all
select 'sha256', v, true from unnest(array['\x' || repeat('00', 32)]) v
union all
select 'sha256', v, false from unnest(array['\x', '\x' || repeat('00', 31), '\x' || repeat('00', 33)]) v;

select lives_ok(
  format('select %L::ledger.%I', value, domain), format('%L is fit for %s', left(value, 40), domain)
)
from casts where good;
select throws_ok(
  format('select %L::ledger.%I', value, domain), '23514', null,
  format('%L is not fit for %s', left(value, 40), domain)
)
from casts where not good;
select throws_ok(
  format('select %s::ledger.%I', value, domain), '22003', null,
  format('%s does not fit into %s', value, domain)
)
from unnest(array['amount', 'balance', 'held']) domain,
  unnest(array['1e38', $$'Infinity'::numeric$$]) value;
select throws_ok(
  format('select %s::ledger.balance', value), '22003', null, format('%s does not fit', value)
)
from unnest(array['-1e38', $$'-Infinity'::numeric$$]) value;
select is(
  (
    select array_agg(typname::text)
    from pg_type
    where typnamespace = 'ledger'::regnamespace
      and typtype = 'd'
      and typname not in (select domain from casts)
  ),
  null, 'These are all the domains there are'
);

select * from finish();
rollback;
