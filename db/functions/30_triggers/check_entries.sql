-- What foreign keys would say, at a fraction of their cost, and that nothing was made of nothing:
-- the entries of one statement belong to payments and accounts of their ledger, and sum to zero
-- per payment and currency. A second line of defence: the posting path never gets this wrong.
create or replace function ledger_private.check_entries()
returns trigger
language plpgsql
as $$
declare
  v_payment_id uuid;
begin
  select e.payment_id
  into v_payment_id
  from new_entries e
  left join ledger.accounts a using (ledger_id, account_id)
  left join ledger.payments p using (ledger_id, payment_id)
  group by e.ledger_id, e.payment_id, a.currency
  having sum(e.amount) <> 0
    or count(a.account_id) <> count(*)
    or count(p.payment_id) <> count(*)
  limit 1;

  if found then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'entries_unbalanced', 'payment_id', v_payment_id)
    );
  end if;
  return null;
end
$$;

create or replace trigger check_entries
after insert on ledger.ledger_entries
referencing new table as new_entries
for each statement execute function ledger_private.check_entries();

alter table ledger.ledger_entries enable always trigger check_entries;
