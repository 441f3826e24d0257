-- Every function for callers, called with null for one argument after the other, and with a negative
-- number where one is taken: it answers, or raises a code of the catalogue. So too with what is in
-- no other test: an argument that is new here has to get a value below.
begin;
select plan(3);
select tests.open_accounts();

create temporary table sound (argument text, value text);
insert into sound values
  ('p_after', $$'alice'$$), ('p_amount', '1'), ('p_api_key_id', '1'),
  ('p_before_version', '1'), ('p_code', $$'alice'$$),
  ('p_codes', $$'{alice}'$$), ('p_currency', $$'USD'$$), ('p_cursor', 'null'),
  ('p_description', $$'d'$$), ('p_effective_at', 'now()'), ('p_exponent', '2'),
  ('p_epoch', $$'e'$$), ('p_from', $$'alice'$$), ('p_generation', $$'g'$$),
  ('p_heartbeat', 'true'), ('p_holder', $$'h'$$),
  ('p_idem_key', $$'k'$$), ('p_idempotency_retention', $$'1 day'$$), ('p_ledger_id', '1'),
  ('p_inner_key', $$'i'$$), ('p_ledger_ids', $$'{1}'$$), ('p_limit', '1'),
  ('p_max_balance', '1000'), ('p_metadata', $$'{}'$$), ('p_min_balance', '0'),
  ('p_name', $$'x'$$), ('p_now', 'now()'),
  ('p_payment_id', '(select payment_id from ledger.payments limit 1)'),
  ('p_payments', $$'[]'$$), ('p_postings', $$'[]'$$), ('p_prefix', $$'a'$$),
  ('p_reason', $$'r'$$), ('p_result', '(null, null, null, null, null)'),
  ('p_scopes', $$'{read}'$$), ('p_secret_sha256', $$sha256('x')$$), ('p_slice', '1'),
  ('p_slices', '1'), ('p_status', $$'open'$$), ('p_term', '1'), ('p_to', $$'bob'$$),
  ('p_type', $$'asset'$$), ('p_wait', 'true');

create temporary table arguments as
select p.oid::regproc as function, a.place, a.name, format_type(t.type, null) as type
from pg_proc p
cross join unnest(p.proargtypes::oid[]) with ordinality t (type, place)
cross join unnest(p.proargnames) with ordinality a (name, place)
where p.pronamespace = 'ledger'::regnamespace
  and a.place = t.place;
select is_empty(
  'select * from arguments a where not exists (select from sound s where s.argument = a.name)',
  'Each argument has a value that is sound'
);
select cmp_ok((select count(*) from arguments), '>', 80::bigint, 'They are many');

create function pg_temp.outcome(p_call text)
returns text
language plpgsql
as $$
begin
  execute p_call;
  raise exception using errcode = 'LG000';  -- what was done is taken back
exception
  when others then
    return sqlstate;
end
$$;

create temporary table calls as
select format(
  'select * from %s(%s)', wrong.function,
  string_agg(
    format(
      '%s => %s::%s', a.name, case when a.place = wrong.place then wrong.value else s.value end,
      a.type
    ),
    ', '
    order by a.place
  )
) as call
from (
  select function, place, value
  from arguments, (values ('null'), ('(-1)')) as wrong (value)
  where value = 'null' or type in ('integer', 'bigint', 'numeric')
) wrong
join arguments a using (function)
join sound s on s.argument = a.name
group by wrong.function, wrong.place, wrong.value;
select is_empty(
  $$
    select outcome, call
    from calls, pg_temp.outcome(call) outcome
    where outcome not like 'LG%'
  $$,
  'Whatever is null or negative is answered, or refused by a code of the catalogue'
);

select * from finish();
rollback;
