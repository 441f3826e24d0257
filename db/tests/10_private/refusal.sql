begin;
select plan(1 + (select count(*)::int from ledger.error_codes where outcome <> 'raised'));

select is(
  ledger_private.refusal(json_build_object('code', code, 'n', 1)::jsonb)::text,
  format('(%s,%s,f,,"{""n"": 1, ""code"": ""%s""}")', outcome, code, code),
  format('%s is %s', code, outcome)
)
from ledger.error_codes
where outcome <> 'raised';
select is((ledger_private.refusal('{"code": "key_reused"}', true)).replayed, true, 'Replayed');

select * from finish();
rollback;
