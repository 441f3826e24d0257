-- A posted payment's answer, from its immutable rows; null when there is no such payment.
--
-- In PL/pgSQL for its plan to live as long as the session: before PostgreSQL 18 SQL would plan anew
-- for each call, over all partitions (of three years: 5 ms, here 0.9).
create or replace function ledger_private.posted_body(
  p_ledger_id int,
  p_payment_id uuid,
  p_render_version int default 1
)
returns json
language plpgsql
stable
as $$
begin
  return (
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
        -- OFFSET 0 has it look up each account, whatever the planner thinks of their number.
        cross join lateral (
          select code, currency from ledger.accounts where account_id = e.account_id offset 0
        ) a
        where e.ledger_id = p.ledger_id
          and e.payment_id = p.payment_id
      )
    )
    from ledger.payments p
    where p.ledger_id = p_ledger_id
      and p.payment_id = p_payment_id
      and p_render_version = 1
  );
end
$$;
