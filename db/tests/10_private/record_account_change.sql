begin;
select plan(2);
select tests.open_accounts();

update ledger.accounts set min_balance = -7, max_balance = 7000, status = 'frozen', metadata = '{"a": 1}'
where code = 'alice';
select lives_ok(
  $$select ledger_private.record_account_change(a) from ledger.accounts a where code = 'alice'$$,
  'A change is recorded'
);
select is(
  (
    select row(c.from_version, c.status, c.min_balance, c.max_balance, c.metadata, c.changed_by,
      c.xid, c.changed_at between now() and clock_timestamp())::text
    from ledger.account_changes c
    join ledger.accounts a using (ledger_id, account_id)
    where code = 'alice'
    order by change_id desc
    limit 1
  ),
  row(2, 'frozen', -7, 7000, '{"a": 1}'::jsonb, session_user, pg_current_xact_id(), true)::text,
  'with what the account is now, from which entry on, by whom and when'
);

select * from finish();
rollback;
