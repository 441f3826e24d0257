begin;
select plan(16);

select lives_ok(format('select ledger_private.check_limits(%s)', limits), limits)
from unnest(
  array['null, null', '0, null', 'null, 0', '0, 0', '-5, 5', '1 - 1e38, 1e38 - 1', '5.00, 6.0']
) limits;
select tests.raises(
  format('select ledger_private.check_limits(%s)', limits), detail, limits || ' is refused'
)
from (
  values
    ('1, 0', '{"code": "limits_invalid", "max_balance": "0", "min_balance": "1"}'),
    ('0.5, 1', '{"code": "limits_invalid", "max_balance": "1", "min_balance": "0.5"}'),
    ('0, 1.5', '{"code": "limits_invalid", "max_balance": "1.5", "min_balance": "0"}'),
    ($$'NaN', null$$, '{"code": "limits_invalid", "max_balance": null, "min_balance": "NaN"}'),
    ($$null, 'NaN'$$, '{"code": "limits_invalid", "max_balance": "NaN", "min_balance": null}'),
    ($$'-Infinity', 0$$,
      '{"code": "limits_invalid", "max_balance": "0", "min_balance": "-Infinity"}'),
    ($$0, 'Infinity'$$,
      '{"code": "limits_invalid", "max_balance": "Infinity", "min_balance": "0"}'),
    ('-1e38, null', format(
      '{"code": "limits_invalid", "max_balance": null, "min_balance": "-1%s"}', repeat('0', 38))),
    ('null, 1e38', format(
      '{"code": "limits_invalid", "max_balance": "1%s", "min_balance": null}', repeat('0', 38)))
) as refused (limits, detail);

select * from finish();
rollback;
