-- Promise 3, accounts: an account is what its last entry left. With verify_versions, which shows
-- that every entry goes on from the one before, this makes its balance the sum of its entries and
-- its version their number.
create or replace function ledger_private.verify_accounts(
  p_ledger_id int,
  p_from_account bigint,
  p_until_account bigint
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language sql
stable
as $$
  select b.breach, a.ledger_id, 'account ' || a.code, b.detail
  from ledger.accounts a
  left join ledger.ledgers l using (ledger_id)
  left join lateral (
    select e.version, e.balance_after, e.held_after
    from ledger.ledger_entries e
    where e.ledger_id = a.ledger_id
      and e.account_id = a.account_id
    order by e.version desc
    limit 1
  ) last on true
  cross join lateral (
    select 'account_without_ledger', '{}'::jsonb
    where l.ledger_id is null
    union all
    select
      'account_version_differs',
      jsonb_build_object('account', a.version, 'last_entry', coalesce(last.version, 0))
    where a.version <> coalesce(last.version, 0)
    union all
    select
      'account_balance_differs',
      jsonb_build_object(
        'account', a.balance::text, 'last_entry', coalesce(last.balance_after, 0)::text
      )
    where a.balance <> coalesce(last.balance_after, 0)
    union all
    select
      'account_held_differs',
      jsonb_build_object('account', a.held::text, 'last_entry', coalesce(last.held_after, 0)::text)
    where a.held <> coalesce(last.held_after, 0)
    union all
    select
      'account_limits_crossed',
      jsonb_build_object('min_balance', a.min_balance::text, 'max_balance', a.max_balance::text)
    where a.min_balance > a.max_balance
  ) b (breach, detail)
  where (p_ledger_id is null or a.ledger_id = p_ledger_id)
    and (p_from_account is null or a.account_id >= p_from_account)
    and (p_until_account is null or a.account_id < p_until_account)
$$;
