begin;
select plan(36);

select is(ledger_private.parse_amount(json::jsonb)::text, amount, 'The amount of ' || left(json, 40))
from (
  values
    ('"100"', '100'), ('100', '100'), ('"100.00"', '100.00'), ('100.00', '100.00'), ('1e2', '100'),
    ('"+7"', '7'), ('"-7"', '-7'), ('-7', '-7'), ('"007"', '7'), ('0', '0'), ('"-0"', '0'),
    ('1.5', '1.5'), ('"1.5"', '1.5'), ('1e40', '1' || repeat('0', 40)),
    ('"' || repeat('9', 1000) || '"', repeat('9', 1000)),
    ('null', null),
    ('""', 'NaN'), ('" 1"', 'NaN'), ('"1 "', 'NaN'), ('"1\n"', 'NaN'), ('"1e2"', 'NaN'),
    ('"1,5"', 'NaN'), ('"1."', 'NaN'), ('".5"', 'NaN'), ('"1_000"', 'NaN'), ('"0x10"', 'NaN'),
    ('"NaN"', 'NaN'), ('"Infinity"', 'NaN'), ('"--1"', 'NaN'), ('"١"', 'NaN'),
    ('"' || repeat('9', 1001) || '"', 'NaN'), ('1e1001', 'NaN'), ('true', 'NaN'), ('[]', 'NaN'),
    ('{}', 'NaN')
) as amounts (json, amount);
select is(ledger_private.parse_amount(null), null, 'No JSON, no amount');

select * from finish();
rollback;
