begin;
select plan(3 + (select count(*)::int from ledger.error_codes));

select tests.raises(
  format('select ledger_private.raise_error(%L)', values), values::text, 'Raised: ' || code
)
from (
  select code, jsonb_build_object('code', code, 'account', 'x', 'n', 7) as values
  from ledger.error_codes
) all_codes;
select throws_ok(
  $$select ledger_private.raise_error('{"code": "no_such_code"}')$$, 'P0002', null,
  'A code that is not in the catalogue is an error of ours'
);
select is(
  (select array_agg(code) from ledger.error_codes where message !~ '^([A-Z]|effective_at).*\.$' or hint !~ '\.$'),
  null, 'Every message and hint is a sentence'
);
select is(
  (select array_agg(code) from ledger.error_codes where right(sqlstate, 3) <> precedence::text),
  null, 'Every SQLSTATE has the number of its precedence'
);

select * from finish();
rollback;
