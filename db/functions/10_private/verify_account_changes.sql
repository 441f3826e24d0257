-- Promise 3, the limits and status in force: an account's changes begin with its creation, go on
-- in order, stay within its versions, and the last one is what the account has now. Closed is
-- final, and nothing closes with money in it.
create or replace function ledger_private.verify_account_changes(
  p_ledger_id int,
  p_from_account bigint,
  p_until_account bigint
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language sql
stable
as $$
  with changes as (
    select
      c.*,
      lag(c.from_version) over account as previous_version,
      lag(c.status) over account as previous_status,
      lead(c.change_id) over account is null as is_last
    from ledger.account_changes c
    where (p_ledger_id is null or c.ledger_id = p_ledger_id)
      and (p_from_account is null or c.account_id >= p_from_account)
      and (p_until_account is null or c.account_id < p_until_account)
    window account as (partition by c.ledger_id, c.account_id order by c.change_id)
  ),
  accounts as (
    select *
    from ledger.accounts a
    where (p_ledger_id is null or a.ledger_id = p_ledger_id)
      and (p_from_account is null or a.account_id >= p_from_account)
      and (p_until_account is null or a.account_id < p_until_account)
  )
  select
    b.breach,
    coalesce(a.ledger_id, c.ledger_id),
    coalesce('account ' || a.code, 'account_id ' || c.account_id),
    b.detail || jsonb_strip_nulls(jsonb_build_object('change_id', c.change_id))
  from changes c
  full join accounts a on a.ledger_id = c.ledger_id and a.account_id = c.account_id
  cross join lateral (
    select 'account_without_history', '{}'::jsonb
    where c.change_id is null
    union all
    select 'account_change_without_account', '{}'
    where a.account_id is null
    union all
    select
      'account_changes_start_late',
      jsonb_build_object('from_version', c.from_version, 'expected', 1)
    where c.previous_version is null and c.from_version <> 1
    union all
    select
      'account_changes_out_of_order',
      jsonb_build_object('from_version', c.from_version, 'previous', c.previous_version)
    where c.from_version < c.previous_version
    union all
    select
      'account_change_ahead',
      jsonb_build_object('from_version', c.from_version, 'account_version', a.version)
    where c.from_version > a.version + 1
    union all
    select
      'account_differs_from_history',
      jsonb_build_object(
        'account', jsonb_build_object(
          'status', a.status, 'metadata', a.metadata,
          'min_balance', a.min_balance::text, 'max_balance', a.max_balance::text
        ),
        'last_change', jsonb_build_object(
          'status', c.status, 'metadata', c.metadata,
          'min_balance', c.min_balance::text, 'max_balance', c.max_balance::text
        )
      )
    where c.is_last
      and (a.status, a.min_balance, a.max_balance, a.metadata)
        is distinct from (c.status, c.min_balance, c.max_balance, c.metadata)
      and a.account_id is not null
    union all
    select 'closed_account_reopened', jsonb_build_object('status', c.status)
    where c.previous_status = 'closed' and c.status <> 'closed'
    union all
    select
      'account_closed_with_money',
      jsonb_build_object('balance', e.balance_after::text, 'held', e.held_after::text)
    from ledger.ledger_entries e
    where c.status = 'closed'
      and e.ledger_id = c.ledger_id
      and e.account_id = c.account_id
      and e.version = c.from_version - 1
      and (e.balance_after <> 0 or e.held_after <> 0)
  ) b (breach, detail)
$$;
