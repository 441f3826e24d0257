begin;
select plan(9);
select tests.open_accounts();
create temporary table outcomes as
select
  ledger.post_payment('p', 'alice', 'bob', 1, 'USD') as posted,
  ledger.post_payment('r', 'alice', 'bob', 999, 'USD') as rejected;
create temporary table prints as select key, fingerprint from ledger.idempotency_keys;

select tests.remember();
select is(
  ledger_private.stored_outcome(1, 'p', fingerprint)::text,
  row('posted', null, true, (posted).payment_id, (posted).body)::text,
  'A posted payment''s key gives its answer to the same content'
)
from prints, outcomes where key = 'p';
select is(
  ledger_private.stored_outcome(1, 'r', fingerprint)::text,
  row('rejected', 'insufficient_funds', true, null, (rejected).body)::text,
  'A rejected one''s too'
)
from prints, outcomes where key = 'r';
select is(
  ledger_private.stored_outcome(1, 'p', fingerprint)::text,
  '(conflict,key_reused,f,,"{""code"": ""key_reused""}")', 'Other content is a conflict'
)
from prints where key = 'r';
select is(
  (ledger_private.stored_outcome(1, key, null)).outcome, outcome, 'Without content, what there is'
)
from (values ('p', 'posted'), ('r', 'rejected')) as keys (key, outcome);
select is(
  ledger_private.stored_outcome(ledger_id, key, null), null,
  format('Nothing under %L in ledger %s', key, ledger_id)
)
from (values (1, 'never'), (1, null), (2, 'p')) as none (ledger_id, key);
select tests.unchanged();

select * from finish();
rollback;
