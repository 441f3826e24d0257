begin;
select plan(1);

select tests.raises(
  $$select ledger_private.raise_argument_invalid('p_limit', 'null')$$,
  '{"code": "argument_invalid", "reason": "null", "argument": "p_limit"}',
  'It says which argument it is, and why'
);

select * from finish();
rollback;
