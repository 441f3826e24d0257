-- Holds a ledger (null: all of them) against promises 1, 3 and 4. Locks nothing that posting waits
-- for. STABLE: every look at the books is the same snapshot, that of the calling statement, so
-- payments posted meanwhile are there whole or not at all, and no breach is false.
--
-- p_slices > 1 divides the work by time (payments, entries, keys) and by age (accounts); slice 1
-- looks at promise 4 besides. Read them in order, each in a transaction of its own.
-- Raises slice_out_of_range, unknown_ledger.
create or replace function ledger.verify_ledger(
  p_ledger_id int default null,
  p_slice int default 1,
  p_slices int default 1
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- Plans for this slice and no other, with room to sort a million entries.
set plan_cache_mode = force_custom_plan
set work_mem = '64MB'
set jit = off
-- However wrong the statistics, no join is made row by row.
set enable_nestloop = off
as $$
declare
  v_part record;
begin
  if p_ledger_id is not null then
    perform ledger_private.check_ledger(p_ledger_id);
  end if;
  v_part := ledger_private.verify_slice(p_ledger_id, p_slice, p_slices);

  if p_slice = 1 then
    return query
    select p.problem, null::int, p.subject, p.detail
    from ledger_private.append_only_problems() p;
  end if;

  return query
  select *
  from ledger_private.verify_accounts(p_ledger_id, v_part.from_account, v_part.until_account)
  union all
  select *
  from ledger_private.verify_account_changes(
    p_ledger_id, v_part.from_account, v_part.until_account
  );

  return query
  select * from ledger_private.verify_versions(p_ledger_id, v_part.from_id, v_part.until_id);
  return query
  select * from ledger_private.verify_limits(p_ledger_id, v_part.from_id, v_part.until_id);
  return query
  select * from ledger_private.verify_conservation(p_ledger_id, v_part.from_id, v_part.until_id);
  return query
  select * from ledger_private.verify_payments(p_ledger_id, v_part.from_id, v_part.until_id);
  return query
  select * from ledger_private.verify_partitions(p_ledger_id, v_part.from_id, v_part.until_id);
  return query
  select * from ledger_private.verify_keys(p_ledger_id, v_part.from_id, v_part.until_id);
  return query
  select * from ledger_private.verify_fingerprints(p_ledger_id, v_part.from_id, v_part.until_id);
  return query
  select *
  from ledger_private.verify_refusals(
    p_ledger_id,
    ledger_private.payment_id_time(v_part.from_id),
    ledger_private.payment_id_time(v_part.until_id)
  );
end
$$;

comment on function ledger.verify_ledger is
  'Every breach of the ledger''s promises, a row each; no row: the books are sound. p_ledger_id '
  'null: all ledgers. A big ledger takes p_slices calls, a part each, with p_slice from 1 on.';
