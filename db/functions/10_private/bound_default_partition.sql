-- Rows came to the default partition because none was made for their time: it becomes an ordinary
-- partition with the range of its rows, and a new default is made. Returns what was done; null
-- when the default is empty.
create or replace function ledger_private.bound_default_partition(p_parent text)
returns text
language plpgsql
volatile
set lock_timeout = '200ms'
as $$
declare
  v_default constant text := p_parent || '_default';
  v_from_id uuid;
  v_until_id uuid;
  v_name text;
begin
  execute format('select payment_id from ledger.%I order by payment_id limit 1', v_default)
  into v_from_id;
  execute format('select payment_id from ledger.%I order by payment_id desc limit 1', v_default)
  into v_until_id;
  if v_from_id is null then
    return null;
  end if;
  v_until_id := ledger_private.payment_id_at(
    ledger_private.payment_id_time(v_until_id) + interval '1 ms'
  );
  if exists (
    select
    from ledger_private.partitions(format('ledger.%I', p_parent)::regclass)
    where from_id < v_until_id
      and until_id > v_from_id
  ) then
    return 'holds rows on both sides of other partitions: left as it is';
  end if;

  v_name := p_parent || '_stray_' || to_char(
    ledger_private.payment_id_time(v_from_id) at time zone 'UTC', 'YYYYMMDD"t"HH24MISSMS'
  );
  begin
    execute format('alter table ledger.%I detach partition ledger.%I', p_parent, v_default);
    execute format('alter table ledger.%I rename to %I', v_default, v_name);
    perform ledger_private.build_partition(p_parent, v_default);
    execute format(
      'alter table ledger.%I attach partition ledger.%I for values from (%L) to (%L)',
      p_parent, v_name, v_from_id, v_until_id
    );
    execute format('alter table ledger.%I attach partition ledger.%I default', p_parent, v_default);
  exception
    when lock_not_available then
      return 'postponed: locked';
  end;
  return 'became ' || v_name;
end
$$;
