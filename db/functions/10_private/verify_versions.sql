-- Promise 3, entries: an account's versions run 1, 2, 3 ... without a gap, none twice, and each
-- balance is the one before plus the entry's amount. Held likewise.
--
-- Most entries plainly go on from the one before in the same slice. The others, and so the first
-- of every run of versions that a slice has, are held against what all partitions hold: the version
-- before, once, and the version itself, once. That finds every version that is there twice: the
-- lowest version that two slices have begins a run in one of them.
create or replace function ledger_private.verify_versions(
  p_ledger_id int,
  p_from_id uuid,
  p_until_id uuid
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language sql
stable
as $$
  with entries as (
    select
      e.*,
      lag(e.version) over account = e.version - 1
        and lag(e.balance_after) over account = e.balance_after - e.amount
        and lag(e.held_after) over account = e.held_after - e.held as goes_on
    from ledger.ledger_entries e
    where (p_ledger_id is null or e.ledger_id = p_ledger_id)
      and (p_from_id is null or e.payment_id >= p_from_id)
      and (p_until_id is null or e.payment_id < p_until_id)
    window account as (partition by e.ledger_id, e.account_id order by e.version, e.payment_id)
  )
  select
    b.breach,
    e.ledger_id,
    ledger_private.entry_subject(e.ledger_id, e.account_id, e.version),
    b.detail || jsonb_build_object('payment_id', e.payment_id)
  from entries e
  cross join lateral (
    select
      bool_or(x.version = e.version and x.payment_id < e.payment_id) as has_older_copy,
      bool_or(x.version = e.version - 1) as has_predecessor,
      max(x.balance_after) filter (where x.version = e.version - 1) as balance,
      max(x.held_after) filter (where x.version = e.version - 1) as held
    from ledger.ledger_entries x
    where x.ledger_id = e.ledger_id
      and x.account_id = e.account_id
      and x.version in (e.version - 1, e.version)
  ) stored
  cross join lateral (
    select
      case when e.version = 1 then 0 else stored.balance end + e.amount,
      case when e.version = 1 then 0 else stored.held end + e.held
  ) expected (balance, held)
  cross join lateral (
    select 'version_repeated', '{}'::jsonb
    where stored.has_older_copy
    union all
    select 'version_missing', jsonb_build_object('missing', e.version - 1)
    where e.version <> 1
      and not stored.has_predecessor
    union all
    select
      'balance_not_continued',
      jsonb_build_object('expected', expected.balance::text, 'found', e.balance_after::text)
    where e.balance_after <> expected.balance
    union all
    select
      'held_not_continued',
      jsonb_build_object('expected', expected.held::text, 'found', e.held_after::text)
    where e.held_after <> expected.held
    union all
    select 'entry_without_effect', '{}'
    where e.amount = 0 and e.held = 0
  ) b (breach, detail)
  where e.goes_on is not true
    or e.amount = 0 and e.held = 0
$$;
