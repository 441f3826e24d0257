begin;
select plan(15);

select is(ledger.create_currency('POINTS', 0, 'Loyalty points'), true, 'A currency of one''s own');
select lives_ok(
  $$select ledger.create_account('points', 'POINTS')$$, 'An account can be kept in it'
);
select is(
  (select exponent from ledger.currencies where code = 'JPY'), 0::smallint, 'ISO 4217 is there'
);
select cmp_ok((select count(*) from ledger.currencies), '>', 150::bigint, 'all of it');

select tests.remember();
select is(
  ledger.create_currency('POINTS', 0, 'Loyalty points'), false, 'The same again changes nothing'
);
select tests.raises(
  format('select ledger.create_currency(%s)', arguments), detail, arguments
)
from (
  values
    ($$'POINTS', 1, 'Loyalty points'$$, '{"code": "currency_exists", "currency": "POINTS"}'),
    ($$'POINTS', 0, 'Points'$$, '{"code": "currency_exists", "currency": "POINTS"}'),
    ($$'points', 0, 'Points'$$, '{"code": "currency_malformed", "currency": "points"}'),
    ($$null, 0, 'Points'$$, '{"code": "currency_malformed", "currency": null}'),
    ($$'AB', 0, 'Points'$$, '{"code": "currency_malformed", "currency": "AB"}')
) as refused (arguments, detail);
select tests.raises(
  format('select ledger.create_currency(%s)', arguments),
  jsonb_build_object('code', 'argument_invalid', 'argument', argument, 'reason', reason)::text,
  arguments
)
from (
  values
    ($$'TOO_FINE', 19, 'x'$$, 'p_exponent', 'not from 0 to 18'),
    ($$'NEGATIVE', -1, 'x'$$, 'p_exponent', 'not from 0 to 18'),
    ($$'NONE', null, 'x'$$, 'p_exponent', 'not from 0 to 18'),
    ($$'NAMELESS', 0, null$$, 'p_name', 'null')
) as refused (arguments, argument, reason);
select tests.unchanged();

select * from finish();
rollback;
