-- Payments as read_feed gives them, with their entries as they are in a posted answer: by posting,
-- the debit first. All ids are from p_low to p_high, so other partitions are not opened.
create or replace function ledger_private.feed_payments(
  p_ledger_ids int[],
  p_payment_ids uuid[],
  p_kinds text[],
  p_posted_ats timestamptz[],
  p_xids xid8[],
  p_low uuid,
  p_high uuid
)
returns json
language plpgsql
stable
as $$
begin
  return (
    select json_agg(
      json_build_object(
        'ledger_id', p.ledger_id,
        'payment_id', p.payment_id,
        'kind', p.kind,
        'posted_at', ledger_private.utc_text(p.posted_at),
        'xid', p.xid,
        'entries', (
          select json_agg(
            json_build_object(
              'account_id', e.account_id,
              'account', a.code,
              'currency', a.currency,
              'version', e.version,
              'amount', e.amount::text,
              'balance', e.balance_after::text,
              'held', e.held_after::text
            )
            order by e.posting_no, e.amount
          )
          from ledger.ledger_entries e
          -- OFFSET 0 has it look up each account, whatever the planner thinks of their number.
          cross join lateral (
            select code, currency from ledger.accounts where account_id = e.account_id offset 0
          ) a
          where e.ledger_id = p.ledger_id
            and e.payment_id = p.payment_id
            and e.payment_id between p_low and p_high
        )
      )
      order by p.place
    )
    from unnest(p_ledger_ids, p_payment_ids, p_kinds, p_posted_ats, p_xids)
      with ordinality p (ledger_id, payment_id, kind, posted_at, xid, place)
  );
end
$$;
