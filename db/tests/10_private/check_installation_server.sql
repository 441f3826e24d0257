-- A server's settings are no transaction's: tests/integration/test_check_installation.py changes
-- them. Here only that what it says is what the server has.
begin;
select plan(1);

select bag_eq(
  'select problem, subject from ledger_private.check_installation_server()',
  $$
    select 'setting_unsafe' as problem, 'setting ' || name as subject
    from unnest(array['fsync', 'full_page_writes']) name
    where current_setting(name) <> 'on'
  $$,
  'It names the settings that put durability at risk'
);

select * from finish();
rollback;
