begin;
select plan(11);

select lives_ok(
  format('select ledger_private.check_retention(%L)', retention),
  coalesce(retention::text, 'for ever')
)
from unnest(array[null, '1 hour', '60 minutes', '30 days', '1000 years']::interval[]) retention;
select tests.raises(
  format('select ledger_private.check_retention(%L)', retention),
  json_build_object('code', 'retention_invalid', 'retention', retention::text)::jsonb::text,
  format('%s is refused', retention)
)
from unnest(array[
  '0', '59 minutes 59 s', '-1 hour', '-1 month', '1000 years 1 s', '178000000 years'
]::interval[]) retention;

select * from finish();
rollback;
