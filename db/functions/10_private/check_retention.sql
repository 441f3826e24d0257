-- A retention is null (for ever), or from an hour to 1000 years: an instant further back might be
-- none any more, and no ledger's keys could be purged. Raises retention_invalid.
create or replace function ledger_private.check_retention(p_retention interval)
returns void
language plpgsql
stable
as $$
begin
  if p_retention not between '1 hour' and '1000 years' then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'retention_invalid', 'retention', p_retention::text)
    );
  end if;
end
$$;
