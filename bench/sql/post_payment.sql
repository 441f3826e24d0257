\set from random(0, :accounts - 1)
\set step random(1, :accounts - 1)
\set to (:from + :step) % :accounts
\set key random(1, 9000000000000000)
select (
  ledger.post_payment(
    'bench-' || (:key)::bigint, 'bench:' || (:from)::int, 'bench:' || (:to)::int, 100, 'USD'
  )
).outcome;
