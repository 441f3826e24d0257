begin;
select plan(22);

-- Which of these payments are safe: each from a to b unless it says otherwise, given as
-- (key, from, to, amount, currency). a has 100, of them 30 held, and no less than 0; b at most 50;
-- c is frozen, d in EUR, e has no limits.
create function pg_temp.safe(
  p_payments text[],
  p_other_keys text[] default '{}',
  p_other_codes text[] default '{}'
)
returns text
language sql
as $$
  select string_agg(s.item::text, ' ' order by s.item)
  from unnest(
    ledger_private.safe_payments(
      (
        select array_agg(
          (no, p[1], p[2], p[3], p[4]::numeric, coalesce(p[5], 'USD'), null, '{}')
            ::ledger_private.simple_payment
        )
        from (
          select no, string_to_array(text, ' ') as p
          from unnest(p_payments) with ordinality given (text, no)
        ) payments
      ),
      array[
        (11, 'a', 'USD', 'open', 100, 30, 7, 0, null), (12, 'b', 'USD', 'open', 0, 0, 0, null, 50),
        (13, 'c', 'USD', 'frozen', 5, 0, 1, 0, null), (14, 'd', 'EUR', 'open', 5, 0, 1, 0, null),
        (15, 'e', 'USD', 'open', 0, 0, 0, null, null), (16, 'f', 'USD', 'open', 0, 0, 0, 0, null)
      ]::ledger_private.locked_account[],
      p_other_keys, p_other_codes
    )
  ) s
$$;

select is(pg_temp.safe('{k a e 70}'), '1', 'All that is available');
select is(pg_temp.safe('{k a e 71}'), null, 'One more is not: what is held is not available');
select is(pg_temp.safe('{k a e 40, l a e 31}'), null, 'Debits count together');
select is(pg_temp.safe('{k e a 40, l a e 71}'), null, 'No credit pays for a debit: it may come later');
select is(pg_temp.safe('{k e b 50}'), '1', 'As much as the maximum');
select is(pg_temp.safe('{k e b 51}'), null, 'One more is not');
select is(pg_temp.safe('{k e b 50, l b e 1, m e b 1}'), null, 'No debit makes room for a credit');
select is(pg_temp.safe('{k a e 1, l a nobody 70}'), null, 'What will be refused counts, too');
select is(pg_temp.safe('{k a e 1, l e f 1 EUR, m e f 1}'), '1 3', 'Another currency than the account''s');
select is(pg_temp.safe('{k a c 1, l c e 1, m a d 1 EUR, n a e 1}'), '4', 'A frozen account, one of another currency');
select is(pg_temp.safe('{k a d 1, l d e 1, m d e 1 EUR, n e f 1}'), '4', 'Payer and payee of different currencies');
select is(pg_temp.safe('{k a e 1, l e f 1, k e f 1}'), null, 'A key twice: neither, nor what shares their accounts');
select is(pg_temp.safe('{k a b 1, l e f 1, m e f 1, l e f 1}'), '1', 'What does not share them is safe');
select is(pg_temp.safe('{k a b 1, l e f 1}', p_other_keys => '{l}'), '1', 'A key of a payment that is not simple');
select is(pg_temp.safe('{k a b 1, l e f 1}', p_other_codes => '{b,nobody}'), '2', 'An account of one');
select is(
  pg_temp.safe('{k e f 9999999999999999999999999999999999999}'), '1', 'Many digits'
);
select is(
  pg_temp.safe(array(select format('k%s e f 9999999999999999999999999999999999999', i) from generate_series(1, 11) i)),
  null, 'More than 38 digits together'
);
select is(
  (
    select to_jsonb(s) - 'payment_id'
    from unnest(
      ledger_private.safe_payments(
        array[(3, 'k', 'a', 'b', 7, 'USD', 'tea', '{"a": 1}')::ledger_private.simple_payment],
        array[
          (12, 'b', 'USD', 'open', 1, 0, 2, null, 50), (11, 'a', 'USD', 'open', 100, 30, 7, 0, null)
        ]::ledger_private.locked_account[],
        '{}', null
      )
    ) s
  ),
  '{"item": 3, "idem_key": "k", "amount": 7, "currency": "USD", "description": "tea",
    "metadata": {"a": 1},
    "from_id": 11, "from_code": "a", "from_balance": 100, "from_held": 30, "from_version": 7,
    "to_id": 12, "to_code": "b", "to_balance": 1, "to_held": 0, "to_version": 2}',
  'With its accounts as they are'
);

create temporary table made as
select call, s.item, s.payment_id
from
  generate_series(1, 2) call,
  unnest(
    ledger_private.safe_payments(
      array(
        select (no, 'k' || no, 'e', 'f', 1, 'USD', null, '{}')::ledger_private.simple_payment
        from generate_series(1, 1000) no
        where no <> 500 or call = 1  -- so that the call is not made once for both
      ),
      array[
        (15, 'e', 'USD', 'open', 0, 0, 0, null, null), (16, 'f', 'USD', 'open', 0, 0, 0, 0, null)
      ]::ledger_private.locked_account[],
      '{}', null
    )
  ) s;
select is((select count(distinct payment_id) from made), 1999::bigint, 'No two ids are the same');
select is_empty(
  $$select payment_id from made where payment_id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'$$,
  'Each is a UUID of version 7 and of the usual variant'
);
select is_empty(
  $$select payment_id from made where ledger_private.payment_id_time(payment_id) not between now() - interval '1 ms' and clock_timestamp()$$,
  'Each tells its time'
);
select is(
  array(select item from made where call = 1 order by payment_id), array(select generate_series(1, 1000)),
  'They are in the order of the items'
);

select * from finish();
rollback;
