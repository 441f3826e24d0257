-- Posts payments that are safe to post in any order, by set statements: claims their keys, in the
-- order of the keys, then writes those whose key it got, as if in the order of their items. The
-- accounts must be locked. The others, whose key has an outcome already, are left out of the
-- result.
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
  v_posted_at_text constant text := ledger_private.utc_text(v_posted_at);
  v_claimed uuid[];
  v_payments ledger_private.safe_payment[] := p_payments;
  -- By payment, what its two entries make of their accounts:
  v_from_versions bigint[];
  v_from_balances numeric[];
  v_to_versions bigint[];
  v_to_balances numeric[];
  -- By account, what it is in the end:
  v_account_ids bigint[];
  v_versions bigint[];
  v_balances numeric[];
begin
  with claimed as (
    insert into ledger.idempotency_keys
      (ledger_id, key, fingerprint, payment_id, render_version, created_at)
    select
      p_ledger_id, idem_key,
      ledger_private.simple_fingerprint(
        from_code, to_code, amount, currency, description, metadata
      ),
      payment_id, 1, v_posted_at
    from unnest(p_payments)
    order by idem_key collate "C"
    on conflict do nothing
    returning payment_id
  )
  select array_agg(payment_id) into v_claimed from claimed;

  if cardinality(v_claimed) is distinct from cardinality(p_payments) then
    v_payments := array(
      select s
      from unnest(p_payments) s
      where s.payment_id = any (v_claimed)
    );
  end if;

  -- Of a payment the debit comes first.
  select
    array_agg(version) filter (where change < 0),
    array_agg(balance) filter (where change < 0),
    array_agg(version) filter (where change > 0),
    array_agg(balance) filter (where change > 0),
    array_agg(account_id) filter (where is_last),
    array_agg(version) filter (where is_last),
    array_agg(balance) filter (where is_last)
  into
    v_from_versions, v_from_balances, v_to_versions, v_to_balances,
    v_account_ids, v_versions, v_balances
  from (
    select
      e.account_id, e.change,
      e.version + row_number() over account as version,
      e.balance + sum(e.change) over account as balance,
      lead(e.item) over account is null as is_last
    from (
      select item, from_id as account_id, -amount as change, from_balance as balance,
        from_version as version
      from unnest(v_payments)
      union all
      select item, to_id, amount, to_balance, to_version
      from unnest(v_payments)
    ) e
    window account as (
      partition by e.account_id order by e.item
      rows between unbounded preceding and current row
    )
    order by e.item, e.change
  ) entry;

  update ledger.accounts a
  set balance = l.balance, version = l.version
  from unnest(v_account_ids, v_versions, v_balances) l (account_id, version, balance)
  -- As ANY it can only be looked up: for "=" a plan may read all accounts, in order, if there were
  -- few when it was made.
  where a.account_id = any (array[l.account_id]);

  return query
  with payment as materialized (
    select *
    from
      rows from (
        unnest(v_from_versions), unnest(v_from_balances),
        unnest(v_to_versions), unnest(v_to_balances),
        unnest(v_payments)
      ) p (new_from_version, new_from_balance, new_to_version, new_to_balance)
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
    select p_ledger_id, from_id, new_from_version, payment_id, 1, -amount, 0, new_from_balance,
      from_held
    from payment
    union all
    select p_ledger_id, to_id, new_to_version, payment_id, 1, amount, 0, new_to_balance, to_held
    from payment
  )
  select
    item, payment_id,
    case
      when description is null and metadata = '{}'
        then ledger_private.render_plain_payment(
          payment_id, v_posted_at_text,
          from_code, new_from_balance + amount, new_from_version,
          to_code, new_to_balance - amount, new_to_version,
          amount, currency
        )
      else ledger_private.render_payment(
        payment_id, 'payment', description, metadata, null, v_posted_at,
        concat_ws(
          ',',
          ledger_private.render_entry(
            (
              1, from_id, from_code, currency, -amount, 0, new_from_version,
              new_from_balance, from_held
            )::ledger_private.entry
          ),
          ledger_private.render_entry(
            (
              1, to_id, to_code, currency, amount, 0, new_to_version, new_to_balance, to_held
            )::ledger_private.entry
          )
        )
      )
    end
  from payment;
end
$$;
