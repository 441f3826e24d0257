-- Metadata is a JSON object of at most 16 KiB. Raises metadata_not_object, metadata_too_large.
create or replace function ledger_private.check_metadata(p_metadata jsonb)
returns void
language plpgsql
stable
as $$
declare
  v_problem constant jsonb := ledger_private.content_problem(null, p_metadata, null);
begin
  if v_problem is not null then
    perform ledger_private.raise_error(v_problem);
  end if;
end
$$;
