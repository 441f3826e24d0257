begin;
select plan(2);

create table ledger.probe (payment_id uuid) partition by range (payment_id);
select is_empty($$select * from ledger_private.partitions('ledger.probe')$$, 'None yet');
create table ledger.probe_default partition of ledger.probe default;
create table ledger.probe_1 partition of ledger.probe
for values from ('00000000-0000-0000-0000-000000000001') to ('01a20734-55fb-0000-0000-000000000000');
create table ledger.probe_2 partition of ledger.probe
for values from ('01a20734-55fb-0000-0000-000000000000') to (maxvalue);
select set_eq(
  $$select partition::text, from_id::text, until_id::text from ledger_private.partitions('ledger.probe')$$,
  $$
    values
      ('ledger.probe_default', null, null),
      ('ledger.probe_1', '00000000-0000-0000-0000-000000000001',
        '01a20734-55fb-0000-0000-000000000000'),
      ('ledger.probe_2', '01a20734-55fb-0000-0000-000000000000', null)
  $$,
  'All, with their bounds; the default one and what is open have none'
);

select * from finish();
rollback;
