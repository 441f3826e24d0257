-- Posts payments that are safe to post in any order, by set statements: claims their keys, in the
-- order of the keys, then writes those whose key it got, as if in the order of their items. The
-- accounts must be locked. The others, whose key has an outcome already, are left out of the result.
create or replace function ledger_private.post_safe_payments(
  p_ledger_id int,
  p_payments ledger_private.safe_payment[]
)
returns table (item int, payment_id uuid, body json)
language plpgsql
volatile
as $$
#variable_conflict use_column
declare
  v_posted_at constant timestamptz := clock_timestamp();
  v_claimed uuid[];
begin
  with claimed as (
    insert into ledger.idempotency_keys
      (ledger_id, key, fingerprint, payment_id, render_version, created_at)
    select
      p_ledger_id, idem_key,
      case
        when description is null and metadata = '{}'
          then ledger_private.plain_fingerprint(from_code, to_code, amount, currency)
        else ledger_private.payment_fingerprint(
          'payment',
          array[
            (1, from_code, currency, -amount, 0), (1, to_code, currency, amount, 0)
          ]::ledger_private.change[],
          description, metadata, null
        )
      end,
      payment_id, 1, v_posted_at
    from unnest(p_payments)
    order by idem_key collate "C"
    on conflict do nothing
    returning payment_id
  )
  select array_agg(payment_id) into v_claimed from claimed;

  return query
  with payment as materialized (
    select *
    from unnest(p_payments)
    where cardinality(v_claimed) = cardinality(p_payments)
      or payment_id = any (v_claimed)
  ),
  entry as materialized (
    select
      p.*, e.account_id, e.change, e.held,
      e.version + row_number() over account as version,
      e.balance + sum(e.change) over account as balance_after
    from payment p
    cross join lateral (
      values
        (p.from_id, -p.amount, p.from_balance, p.from_held, p.from_version),
        (p.to_id, p.amount, p.to_balance, p.to_held, p.to_version)
    ) e (account_id, change, balance, held, version)
    window account as (
      partition by e.account_id order by p.item
      rows between unbounded preceding and current row
    )
  ),
  new_payment as (
    insert into ledger.payments (ledger_id, payment_id, kind, description, metadata, posted_at)
    select p_ledger_id, payment_id, 'payment', description, metadata, v_posted_at
    from payment
  ),
  new_entry as (
    insert into ledger.ledger_entries
      (ledger_id, account_id, version, payment_id, posting_no,
       amount, held, balance_after, held_after)
    select p_ledger_id, account_id, version, payment_id, 1, change, 0, balance_after, held
    from entry
  ),
  new_balance as (
    update ledger.accounts a
    set balance = l.balance_after, version = l.version
    from (
      select distinct on (account_id) account_id, version, balance_after
      from entry
      order by account_id, version desc
    ) l
    where a.ledger_id = p_ledger_id
      and a.account_id = l.account_id
  ),
  -- A payment's two entries beside each other: the debit comes first.
  pair as (
    select
      *,
      lead(balance_after) over both_entries as credited_balance,
      lead(version) over both_entries as credited_version
    from entry
    window both_entries as (order by item, change)
  )
  select
    item, payment_id,
    case
      when description is null and metadata = '{}'
        then ledger_private.render_plain_payment(
          payment_id, v_posted_at, from_code, balance_after, version,
          to_code, credited_balance, credited_version, amount, currency
        )
      else ledger_private.render_payment(
        payment_id, 'payment', description, metadata, null, v_posted_at,
        concat_ws(
          ',',
          ledger_private.render_entry(
            (
              1, from_id, from_code, currency, -amount, 0, version, balance_after, from_held
            )::ledger_private.entry
          ),
          ledger_private.render_entry(
            (
              1, to_id, to_code, currency, amount, 0, credited_version, credited_balance, to_held
            )::ledger_private.entry
          )
        )
      )
    end
  from pair
  where change < 0
  order by item;
end
$$;
