-- Raises unknown_ledger unless there is such a ledger.
create or replace function ledger_private.check_ledger(p_ledger_id int)
returns void
language plpgsql
stable
as $$
begin
  if not exists (select from ledger.ledgers where ledger_id = p_ledger_id) then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'unknown_ledger', 'ledger_id', p_ledger_id)
    );
  end if;
end
$$;
