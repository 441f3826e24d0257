begin;
select plan(10);
select tests.open_accounts();
create temporary table posted as
-- Of different milliseconds: before PostgreSQL 18 only those order payment_ids.
select n, p.payment_id
from generate_series(1, 5) n
cross join lateral pg_sleep(0.002 * sign(n))
cross join lateral ledger.post_payment('k' || n, 'alice', 'bob', 10 * n, 'USD') p;

select is_empty('select * from ledger_private.verify_versions(null, null, null)', 'Sound');

create function pg_temp.found(p_from_id uuid default null, p_until_id uuid default null)
returns table (breach text, subject text, n int, detail jsonb)
language sql
as $$
  select breach, subject, p.n, detail - 'payment_id'
  from ledger_private.verify_versions(1, p_from_id, p_until_id) f
  left join posted p on p.payment_id = (f.detail ->> 'payment_id')::uuid
$$;
create function pg_temp.account(p_code text)
returns bigint
language sql
return (select account_id from ledger.accounts where code = p_code);
alter table ledger.ledger_entries disable trigger user;

-- alice has 500, then 490, 470, 440, 400, 350 (version 6); bob 10, 30, 60, 100, 150 (version 5).
savepoint sound;
update ledger.ledger_entries set balance_after = 471
where account_id = pg_temp.account('alice') and version = 3;
update ledger.ledger_entries set held_after = 5
where account_id = pg_temp.account('bob') and version = 5;
select bag_eq(
  'select * from pg_temp.found()',
  $$
    values
      ('balance_not_continued', 'account alice version 3', 2,
        '{"expected": "470", "found": "471"}'::jsonb),
      ('balance_not_continued', 'account alice version 4', 3,
        '{"expected": "441", "found": "440"}'),
      ('held_not_continued', 'account bob version 5', 5, '{"expected": "0", "found": "5"}')
  $$,
  'Each balance goes on from the one before'
);
select bag_eq(
  format($$select subject, detail ->> 'expected' from pg_temp.found(%L, %L)$$,
    (select payment_id from posted where n = 3), (select payment_id from posted where n = 5)),
  $$values ('account alice version 4', '441')$$,
  'In a slice too, from a balance that lies before it'
);

rollback to sound;
delete from ledger.ledger_entries
where account_id = pg_temp.account('bob') and version in (1, 3);
select bag_eq(
  'select * from pg_temp.found()',
  $$
    values
      ('version_missing', 'account bob version 2', 2, '{"missing": 1}'::jsonb),
      ('version_missing', 'account bob version 4', 4, '{"missing": 3}')
  $$,
  'A gap is found, at the beginning too'
);
select bag_eq(
  format('select subject from pg_temp.found(%L)', (select payment_id from posted where n = 4)),
  $$values ('account bob version 4')$$, 'and by the slice that begins after it'
);

rollback to sound;
insert into ledger.ledger_entries
  (ledger_id, account_id, version, payment_id, posting_no, amount, held, balance_after, held_after)
select
  ledger_id, account_id, version, ledger_private.payment_id_at(now() + interval '40 days'),
  posting_no, amount, held, balance_after, held_after
from ledger.ledger_entries
where account_id = pg_temp.account('alice') and version = 3;
select is(
  (select count(distinct tableoid) from ledger.ledger_entries), 2::bigint,
  'A version twice, in two partitions'
);
select bag_eq(
  'select breach, subject, n from pg_temp.found()',
  $$values ('version_repeated', 'account alice version 3', null::int)$$,
  'is found at the later of the two'
);
select bag_eq(
  format($$select breach, subject, n from pg_temp.found(%L)$$,
    ledger_private.payment_id_at(now() + interval '30 days')),
  $$values ('version_repeated', 'account alice version 3', null::int)$$,
  'and by a slice that has one of them only'
);

rollback to sound;
update ledger.ledger_entries set amount = 0, balance_after = 470
where account_id = pg_temp.account('alice') and version = 4;
-- Holding something is an effect.
update ledger.ledger_entries set amount = 0, balance_after = 440, held = 3, held_after = 3
where account_id = pg_temp.account('alice') and version = 5;
select bag_eq(
  'select breach, subject, detail from pg_temp.found() where breach = ''entry_without_effect''',
  $$values ('entry_without_effect', 'account alice version 4', '{}'::jsonb)$$,
  'An entry that changes nothing is none'
);

select is_empty(
  'select * from ledger_private.verify_versions(2, null, null)', 'Only of the ledger asked for'
);

select * from finish();
rollback;
