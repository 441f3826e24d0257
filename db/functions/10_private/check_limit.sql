-- A page has 1 to p_most rows. Raises limit_out_of_range.
create or replace function ledger_private.check_limit(p_limit int, p_most int default 1000)
returns void
language plpgsql
stable
as $$
begin
  if p_limit is null or p_limit not between 1 and p_most then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'limit_out_of_range', 'limit', p_limit)
    );
  end if;
end
$$;
