begin;
select plan(8);

select lives_ok(format('select ledger_private.check_metadata(%L)', metadata), left(metadata, 40))
from unnest(
  array['{}', '{"a": {"b": [null]}}', jsonb_build_object('a', repeat('x', 16375))::text]
) metadata;
select tests.raises(
  format('select ledger_private.check_metadata(%L)', metadata), detail,
  left(coalesce(metadata, 'null'), 40) || ' is refused'
)
from (
  values
    (null, '{"code": "metadata_not_object"}'), ('null', '{"code": "metadata_not_object"}'),
    ('[]', '{"code": "metadata_not_object"}'), ('"x"', '{"code": "metadata_not_object"}'),
    (jsonb_build_object('a', repeat('x', 16376))::text,
      '{"code": "metadata_too_large", "bytes": 16385, "limit": 16384}')
) as refused (metadata, detail);

select * from finish();
rollback;
