-- A retention is null (for ever) or an hour at the least. Raises retention_invalid.
create or replace function ledger_private.check_retention(p_retention interval)
returns void
language plpgsql
stable
as $$
begin
  if p_retention < '1 hour' then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'retention_invalid', 'retention', p_retention::text)
    );
  end if;
end
$$;
