-- Promise 3, payments: a payment has its ledger, its epoch, its related payment, and entries with
-- accounts; its postings are numbered 1, 2, 3 ..., each a debit and a credit of one amount.
create or replace function ledger_private.verify_payments(
  p_ledger_id int,
  p_from_id uuid,
  p_until_id uuid
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language sql
stable
as $$
  with postings as (
    select
      e.ledger_id, e.payment_id, e.posting_no,
      count(*) as entries,
      count(a.account_id) as accounts,
      count(*) = 2
        and sum(e.amount) = 0
        and max(e.amount) > 0
        and bool_and(e.held = 0)
        and min(a.currency) = max(a.currency) as is_pair
    from ledger.ledger_entries e
    left join ledger.accounts a using (ledger_id, account_id)
    where (p_ledger_id is null or e.ledger_id = p_ledger_id)
      and (p_from_id is null or e.payment_id >= p_from_id)
      and (p_until_id is null or e.payment_id < p_until_id)
    group by e.ledger_id, e.payment_id, e.posting_no
  ),
  entries as (
    select
      ledger_id, payment_id,
      sum(entries) as entries,
      sum(accounts) as accounts,
      count(*) as postings,
      min(posting_no) as first_no,
      max(posting_no) as last_no,
      min(posting_no) filter (where is_pair is not true) as unpaired_no
    from postings
    group by ledger_id, payment_id
  ),
  payments as (
    select *
    from ledger.payments p
    where (p_ledger_id is null or p.ledger_id = p_ledger_id)
      and (p_from_id is null or p.payment_id >= p_from_id)
      and (p_until_id is null or p.payment_id < p_until_id)
  )
  select
    b.breach,
    coalesce(p.ledger_id, e.ledger_id),
    'payment ' || coalesce(p.payment_id, e.payment_id),
    b.detail
  from payments p
  full join entries e on e.ledger_id = p.ledger_id and e.payment_id = p.payment_id
  left join ledger.ledgers l on l.ledger_id = p.ledger_id
  left join ledger.feed_epochs f on f.feed_epoch = p.feed_epoch
  cross join lateral (
    select 'entries_without_payment', jsonb_build_object('entries', e.entries)
    where p.payment_id is null
    union all
    select 'payment_without_entries', '{}'
    where e.payment_id is null
    union all
    select
      'entries_without_account',
      jsonb_build_object('entries', e.entries, 'with_account', e.accounts)
    where e.accounts < e.entries
    union all
    select
      'postings_not_numbered',
      jsonb_build_object('postings', e.postings, 'first', e.first_no, 'last', e.last_no)
    where e.first_no <> 1 or e.last_no <> e.postings
    union all
    select 'posting_not_a_pair', jsonb_build_object('posting_no', e.unpaired_no)
    where p.kind = 'payment' and e.unpaired_no is not null
    union all
    select 'payment_without_ledger', '{}'
    where p.payment_id is not null and l.ledger_id is null
    union all
    select 'payment_without_epoch', jsonb_build_object('feed_epoch', p.feed_epoch)
    where p.payment_id is not null and f.feed_epoch is null
    union all
    select
      'related_payment_missing', jsonb_build_object('related_payment_id', p.related_payment_id)
    where p.related_payment_id is not null
      and not exists (
        select
        from ledger.payments r
        where r.ledger_id = p.ledger_id
          and r.payment_id = p.related_payment_id
      )
  ) b (breach, detail)
$$;
