-- A posted payment's answer, from its immutable rows; null when there is no such payment.
create or replace function ledger_private.posted_body(
  p_ledger_id int,
  p_payment_id uuid,
  p_render_version int default 1
)
returns json
language sql
stable
as $$
  select ledger_private.render_payment(
    p.payment_id, p.kind, p.description, p.metadata, p.effective_at, p.posted_at,
    (
      select string_agg(
        ledger_private.render_entry(
          (
            e.posting_no, e.account_id, a.code, a.currency, e.amount, e.held, e.version,
            e.balance_after, e.held_after
          )::ledger_private.entry
        ),
        ','
        -- Of a posting the debit comes first.
        order by e.posting_no, e.amount
      )
      from ledger.ledger_entries e
      join ledger.accounts a using (account_id)
      where e.ledger_id = p.ledger_id
        and e.payment_id = p.payment_id
    )
  )
  from ledger.payments p
  where p.ledger_id = p_ledger_id
    and p.payment_id = p_payment_id
    and p_render_version = 1
$$;
