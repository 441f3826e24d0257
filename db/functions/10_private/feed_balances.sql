-- What payments made of their accounts, of each account only its newest entry among them, each as
-- the JSON of [ledger_id, [code, version, currency, balance, held]]. An entry never changes, so
-- this is what the balance was as of that version, whatever has become of it meanwhile. All ids are
-- from p_low to p_high, so other partitions are not opened.
--
-- The payments are looked up by their ids, whatever the planner knows: until a new partition has
-- been analyzed, it takes a join for cheaper that reads every entry from p_low to p_high, of two
-- hours. The text is put together as it is: neither code nor currency has a character that JSON
-- would escape, and jsonb costs twice as much as all the rest.
create or replace function ledger_private.feed_balances(
  p_payment_ids uuid[],
  p_low uuid,
  p_high uuid
)
returns text[]
language plpgsql
stable
as $$
begin
  return (
    select
      coalesce(
        array_agg(
          concat(
            '[', e.ledger_id, ',["', a.code, '",', e.version, ',"', a.currency, '","',
            e.balance_after, '","', e.held_after, '"]]'
          )
        ),
        '{}'
      )
    from (
      select distinct on (e.ledger_id, e.account_id)
        e.ledger_id, e.account_id, e.version, e.balance_after, e.held_after
      from ledger.ledger_entries e
      where e.payment_id = any (p_payment_ids)
        and e.payment_id between p_low and p_high
      order by e.ledger_id, e.account_id, e.version desc
    ) e
    -- OFFSET 0 has it look up each account, whatever the planner thinks of their number.
    cross join lateral (
      select code, currency from ledger.accounts where account_id = e.account_id offset 0
    ) a
  );
end
$$;
