begin;
select plan(9);

select lives_ok(format('select ledger_private.check_limit(%s)', n), format('%s rows', n))
from unnest(array[1, 50, 1000]) n;
select tests.raises(
  format('select ledger_private.check_limit(%s)', coalesce(n::text, 'null')),
  json_build_object('code', 'limit_out_of_range', 'limit', n)::jsonb::text,
  format('%s rows are refused', n)
)
from unnest(array[0, -1, 1001, null]) n;
select lives_ok('select ledger_private.check_limit(5000, 5000)', 'As many as there may be');
select tests.raises(
  'select ledger_private.check_limit(5001, 5000)',
  '{"code": "limit_out_of_range", "limit": 5001}', 'One more than there may be'
);

select * from finish();
rollback;
