-- Raises limit_out_of_range, unknown_ledger. Stable under inserts: pages go by code.
create or replace function ledger.list_accounts(
  p_prefix text default '',
  p_after text default null,
  p_limit int default 100,
  p_ledger_id int default 1
)
returns setof ledger.account
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
-- In the order of an index: what is sorted has to be read whole.
set enable_sort = off
as $$
begin
  perform ledger_private.check_limit(p_limit);
  perform ledger_private.check_ledger(p_ledger_id);

  return query
  select (ledger_private.visible_account(a)).*
  from ledger.accounts a
  where a.ledger_id = p_ledger_id
    -- ~ sorts after every character a code can have.
    and a.code >= coalesce(p_prefix, '')
    and a.code < coalesce(p_prefix, '') || '~'
    and a.code > coalesce(p_after, '')
  order by a.code
  limit p_limit;
end
$$;

comment on function ledger.list_accounts is
  'The accounts whose code begins with p_prefix, by code. The next page: p_after = the last code.';
