-- Promise 4, whole: whatever could let history be changed.
create or replace function ledger_private.append_only_problems()
returns table (problem text, subject text, detail jsonb)
language sql
stable
as $$
  select * from ledger_private.append_only_owners()
  union all
  select * from ledger_private.append_only_grants()
  union all
  select * from ledger_private.append_only_triggers()
  union all
  select * from ledger_private.append_only_storage()
  union all
  select * from ledger_private.append_only_members()
$$;
