begin;
select plan(6);
select tests.open_accounts();
select from generate_series(1, 6) n, ledger.post_payment('k' || n, 'alice', 'bob', 1, 'USD');
select from ledger.post_payment('refused', 'bob', 'alice', 1000, 'USD');

select is_empty('select * from ledger_private.verify_keys(null, null, null)', 'Sound');

create temporary table were as
select key, payment_id from ledger.idempotency_keys;
alter table ledger.idempotency_keys disable trigger user;
alter table ledger.payments disable trigger user;

delete from ledger.idempotency_keys where key = 'k1';
delete from ledger.payments where payment_id = (select payment_id from were where key = 'k2');
insert into ledger.idempotency_keys
  (ledger_id, key, payment_id, fingerprint, render_version, created_at)
select ledger_id, 'k3-again', payment_id, fingerprint, render_version, created_at
from ledger.idempotency_keys where key = 'k3';
update ledger.payments set posted_at = '2026-01-01Z'
where payment_id = (select payment_id from were where key = 'k4');
update ledger.idempotency_keys set created_at = '2026-02-01Z' where key = 'k4';
update ledger.idempotency_keys set outcome = '{"code": "x"}' where key = 'k5';
update ledger.idempotency_keys set render_version = 0 where key = 'k6';

set local time zone 'UTC';
create function pg_temp.found(p_from_id uuid default null, p_until_id uuid default null)
returns table (breach text, subject text, detail jsonb, payment text)
language sql
as $$
  select
    breach,
    case subject when 'payment ' || w.payment_id then 'payment of ' || w.key else subject end,
    detail - 'payment_id',
    w.key
  from ledger_private.verify_keys(1, p_from_id, p_until_id)
  left join were w on w.payment_id::text = coalesce(detail ->> 'payment_id', right(subject, 36))
$$;
select bag_eq(
  'select * from pg_temp.found()',
  $$
    values
      ('payment_without_key', 'payment of k1', '{}'::jsonb, 'k1'),
      ('key_without_payment', 'key k2', '{}', 'k2'),
      ('payment_with_two_keys', 'key k3-again', '{"other_key": "k3"}', 'k3'),
      ('key_and_payment_differ_in_time', 'key k4',
        '{"created_at": "2026-02-01T00:00:00+00:00", "posted_at": "2026-01-01T00:00:00+00:00"}',
        'k4'),
      ('key_with_two_outcomes', 'key k5', '{"outcome": {"code": "x"}}', 'k5'),
      ('answer_not_renderable', 'key k6', '{"render_version": 0}', 'k6')
  $$,
  'A payment and its key belong together'
);
select bag_eq(
  format(
    'select subject from pg_temp.found(%L, %L)',
    payment_id,
    (select min(next.payment_id::text) from were next where next.payment_id > were.payment_id)
  ),
  $$values ('key k2')$$, 'Only of the payments in the range'
)
from were
where key = 'k2';
select is_empty(
  'select * from ledger_private.verify_keys(2, null, null)', 'Only of the ledger asked for'
);

-- Where keys are purged.
select lives_ok($$select ledger.set_ledger_retention(1, '1 day')$$, 'A retention is set');
select bag_eq(
  'select breach from pg_temp.found()',
  $$
    values
      ('key_without_payment'), ('payment_with_two_keys'), ('key_with_two_outcomes'),
      ('answer_not_renderable')
  $$,
  'Keys may be gone, or old enough to go'
);

select * from finish();
rollback;
