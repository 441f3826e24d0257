-- What payments made of their accounts, of each account only its newest entry among them, as an
-- array of [ledger_id, code, version, currency, balance, held]. An entry never changes, so this is
-- what the balance was as of that version, whatever has become of it meanwhile. All ids are from
-- p_low to p_high, so other partitions are not opened.
--
-- The payments are looked up one by one, whatever the planner knows: until a new partition has been
-- analyzed, it takes a join for cheaper that reads every entry from p_low to p_high, of two hours.
create or replace function ledger_private.feed_balances(
  p_payment_ids uuid[],
  p_low uuid,
  p_high uuid
)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_array(
          e.ledger_id, a.code, e.version, a.currency, e.balance_after::text, e.held_after::text
        )
        order by e.ledger_id, e.account_id
      ),
      '[]'
    )
    from (
      select distinct on (e.ledger_id, e.account_id)
        e.ledger_id, e.account_id, e.version, e.balance_after, e.held_after
      from unnest(p_payment_ids) p (payment_id)
      cross join lateral (
        select e.*
        from ledger.ledger_entries e
        where e.payment_id = p.payment_id
          and e.payment_id between p_low and p_high
        offset 0  -- keeps the planner from making a join of it
      ) e
      order by e.ledger_id, e.account_id, e.version desc
    ) e
    join ledger.accounts a using (ledger_id, account_id)
  );
end
$$;
