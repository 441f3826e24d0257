begin;
select plan(7);
select tests.open_accounts();
select is_empty('select * from ledger.verify_ledger()', 'Books that were only posted to are sound');

alter table ledger.idempotency_keys disable trigger user;
alter table ledger.payments disable trigger user;
alter table ledger.ledger_entries disable trigger user;
alter table ledger.account_changes disable trigger user;
select from ledger.post_payment('refused', 'bob', 'alice', 1, 'USD');
-- One breach of each kind, each of another account, payment or key where it can be.
update ledger.accounts set held = 1 where code = 'carol';
update ledger.account_changes set min_balance = null
where account_id = (select account_id from ledger.accounts where code = 'bob');
update ledger.account_changes set max_balance = 499
where account_id = (select account_id from ledger.accounts where code = 'alice');
update ledger.accounts set max_balance = 499 where code = 'alice';
update ledger.payments set feed_epoch = 99
where payment_id = (select payment_id from ledger.idempotency_keys where key = 'fund-alice');
update ledger.idempotency_keys set render_version = 2 where key = 'fund-alice';
update ledger.idempotency_keys set outcome = null where key = 'refused';
update ledger.ledger_entries set amount = 301, balance_after = 302
where account_id = (select account_id from ledger.accounts where code = 'eva');
update ledger.accounts set balance = 302 where code = 'eva';
insert into ledger.payments
  (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata, related_payment_id)
values (ledger_private.payment_id_at('1999-01-01Z'), now(), 1, 1, 'stray', '{}', null);
select bag_eq(
  $$select breach from ledger.verify_ledger() where ledger_id = 1$$,
  $$
    values
      ('account_held_differs'), ('account_differs_from_history'), ('balance_not_continued'),
      ('credit_above_maximum'), ('payment_unbalanced'), ('posting_not_a_pair'),
      ('payment_without_epoch'), ('payment_without_entries'), ('payment_without_key'),
      ('rows_in_default_partition'), ('answer_not_renderable'), ('fingerprint_differs'),
      ('key_without_outcome')
  $$,
  'Every kind of breach is told'
);
select bag_eq(
  'select distinct breach, subject from ledger.verify_ledger() where ledger_id is null',
  $$
    select 'trigger_missing' as breach, 'table ' || relation as subject
    from ledger_private.append_only_tables()
    where name <> 'feed_epochs' and name <> 'accounts'
  $$,
  'and what could let history be changed'
);
select bag_eq(
  'select * from ledger.verify_ledger()',
  'select v.* from generate_series(1, 5) n, ledger.verify_ledger(null, n, 5) v',
  'Slices together tell what the whole does'
);
select is(
  (
    select proconfig
    from pg_proc
    where oid = 'ledger.verify_ledger'::regproc and provolatile = 's'
  ),
  array[
    'search_path=pg_catalog, pg_temp', 'plan_cache_mode=force_custom_plan', 'work_mem=64MB',
    'jit=off', 'enable_nestloop=off'
  ],
  'It is STABLE: all of it sees one snapshot'
);
select tests.raises(
  'select * from ledger.verify_ledger(77)', '{"code": "unknown_ledger", "ledger_id": 77}',
  'A ledger that is none is not verified'
);
select tests.raises(
  'select * from ledger.verify_ledger(null, 0, 1)',
  '{"code": "slice_out_of_range", "slice": 0, "slices": 1}', 'Slices are counted from 1'
);

select * from finish();
rollback;
