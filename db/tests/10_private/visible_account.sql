begin;
select plan(2);
select tests.open_accounts();
select lives_ok(
  $$
    select ledger_private.post_changes(
      1, 'hold', 'test', array['alice'], array[(1, 'alice', 'USD', 0, 80)]::ledger_private.change[],
      null, '{}', null, true
    )
  $$,
  'Something is held'
);

select is(
  ledger_private.visible_account(a)::text,
  row('alice', 'USD', 'liability', 'open', 500, 80, 420, 2, 0, null, '{}'::jsonb, a.created_at)::text,
  'An account as callers see it: what is available, and not its id'
)
from ledger.accounts a
where code = 'alice';

select * from finish();
rollback;
