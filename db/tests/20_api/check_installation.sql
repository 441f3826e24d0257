begin;
select plan(3);

select bag_eq(
  $$
    select problem, subject
    from ledger.check_installation()
    where problem not in ('setting_unsafe', 'login_is_superuser')
  $$,
  'select problem, subject from ledger_private.append_only_problems()', 'As installed'
);

-- One of each kind.
alter table ledger.feed_epochs disable trigger refuse_truncate;
grant usage on schema ledger to public;
alter function ledger.get_balance security invoker;
alter role ledger_relay login;
insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
values (ledger_private.payment_id_at('1999-01-01Z'), now(), 1, 1, 'stray', '{}');
select bag_eq(
  $$
    select problem, subject
    from ledger.check_installation()
    where problem <> 'setting_unsafe'
  $$,
  format(
    $$
      values
        ('trigger_missing', 'table ledger.feed_epochs'),
        ('granted_to_public', 'schema ledger'),
        ('function_not_security_definer', 'function ledger.get_balance(text,integer)'),
        ('role_can_log_in', 'role ledger_relay'),
        ('login_is_superuser', 'role %s'),
        ('default_partition_in_use', 'table ledger.payments')
    $$,
    session_user
  ),
  'Every kind of problem is told'
);
select is(
  has_function_privilege('ledger_app', 'ledger.check_installation()', 'execute'), true,
  'and the service may ask'
);

select * from finish();
rollback;
