-- No setting of the caller's session changes an answer or a fingerprint.
begin;
select plan(50);
select tests.open_accounts();

create temporary table first as
select
  ledger.post_payment(
    'k', 'alice', 'bob', 100, 'USD', 'rent', '{"a": 1.50}', '2026-03-29 01:30:00.123456Z'
  ) as result,
  ledger.post_compound_payment(
    'c', '[{"from": "bob", "to": "carol", "amount": 1, "currency": "USD"}]'
  ) as compound;
create temporary table settings (name text, value text);
insert into settings values
  ('timezone', 'Asia/Kathmandu'), ('timezone', 'America/St_Johns'), ('timezone', 'Pacific/Apia'),
  ('timezone', '<+0345>-3:45'), ('datestyle', 'German, DMY'), ('datestyle', 'SQL, MDY'),
  ('datestyle', 'Postgres, DMY'), ('intervalstyle', 'sql_standard'), ('bytea_output', 'escape'),
  ('extra_float_digits', '-15'), ('lc_numeric', 'C.UTF-8'), ('lc_time', 'C.UTF-8'),
  ('standard_conforming_strings', 'off'), ('array_nulls', 'off'), ('quote_all_identifiers', 'on'),
  ('search_path', 'pg_temp'), ('row_security', 'off'), ('transform_null_equals', 'on'),
  ('enable_indexscan', 'off'), ('plan_cache_mode', 'force_custom_plan'), ('xmloption', 'content'),
  ('default_transaction_isolation', 'serializable'), ('check_function_bodies', 'off');

-- The setting, the answers under it, the setting as before.
create function pg_temp.answers_under(p_name text, p_value text)
returns text[]
language plpgsql
as $$
declare
  v_before constant text := current_setting(p_name);
  v_answers text[];
begin
  perform set_config(p_name, p_value, true);
  v_answers := array[
    (
      ledger.post_payment(
        'k', 'alice', 'bob', 100, 'USD', 'rent', '{"a": 1.50}', '2026-03-29 01:30:00.123456Z'
      )
    ).body::text,
    (ledger.find_payment_by_key('k')).body::text,
    (
      select body::text
      from ledger.post_payments(
        '[{"idempotency_key": "k", "from": "alice", "to": "bob", "amount": "100",
           "currency": "USD", "description": "rent", "metadata": {"a": 1.50},
           "effective_at": "2026-03-29T02:30:00.123456+01:00"}]'
      )
    ),
    (
      ledger.post_compound_payment(
        'c', '[{"from": "bob", "to": "carol", "amount": 1, "currency": "USD"}]'
      )
    ).body::text
  ];
  perform set_config(p_name, v_before, true);
  return v_answers;
end
$$;

select is(
  pg_temp.answers_under(name, value),
  array[
    (result).body::text, (result).body::text, (result).body::text, (compound).body::text
  ],
  format('A retry under %s = %s is answered with the same bytes', name, value)
)
from first, settings;

-- And a payment first posted under odd settings is the same to a session without them.
create function pg_temp.first_under(p_name text, p_value text, p_key text)
returns text
language plpgsql
as $$
declare
  v_before constant text := current_setting(p_name);
  v_answer text;
begin
  perform set_config(p_name, p_value, true);
  v_answer := (
    ledger.post_payment(
      p_key, 'alice', 'bob', 1, 'USD', 'rent', '{"a": 1.50}', '2026-03-29 01:30:00.123456Z'
    )
  ).body;
  perform set_config(p_name, v_before, true);
  return v_answer;
end
$$;
select is(
  pg_temp.first_under(name, value, 'under-' || no),
  (
    ledger.post_payment(
      'under-' || no, 'alice', 'bob', 1, 'USD', 'rent', '{"a": 1.50}', '2026-03-29 01:30:00.123456Z'
    )
  ).body::text,
  format('A payment posted under %s = %s is the same without', name, value)
)
from (select *, row_number() over () as no from settings) s;
select tests.books();

-- The functions leave the caller's settings alone.
select is(current_setting('search_path'), 'tests,tap', 'search_path is as it was');
select is(current_setting('enable_seqscan'), 'on', 'enable_seqscan is as it was');
select is(current_setting('plan_cache_mode'), 'auto', 'plan_cache_mode is as it was');

select * from finish();
rollback;
