begin;
select plan(7);

select lives_ok(format('select ledger_private.check_limit(%s)', n), format('%s rows', n))
from unnest(array[1, 50, 1000]) n;
select tests.raises(
  format('select ledger_private.check_limit(%s)', coalesce(n::text, 'null')),
  json_build_object('code', 'limit_out_of_range', 'limit', n)::jsonb::text,
  format('%s rows are refused', n)
)
from unnest(array[0, -1, 1001, null]) n;

select * from finish();
rollback;
