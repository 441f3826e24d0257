begin;
select plan(3);

select is(
  ledger_private.simple_fingerprint('alice', 'bob', 100, 'USD', description, metadata),
  ledger_private.payment_fingerprint(
    'payment',
    array[
      (1, 'alice', 'USD', -100, 0), (1, 'bob', 'USD', 100, 0)
    ]::ledger_private.change[],
    description, metadata, null
  ),
  format('The same as the general one: %s %s', description, metadata)
)
from (
  values (null, '{}'::jsonb), ('rent', '{}'), (null, '{"a": 1}')
) content (description, metadata);

select * from finish();
rollback;
