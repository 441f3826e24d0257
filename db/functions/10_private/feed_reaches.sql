-- Whether everything that was visible to p_known is visible to p_snapshot. It is not to the older
-- snapshot of a REPEATABLE READ transaction. Nor if p_known is ahead of this database:
-- raises feed_cursor_ahead.
create or replace function ledger_private.feed_reaches(
  p_snapshot pg_snapshot,
  p_known pg_snapshot
)
returns boolean
language plpgsql
stable
as $$
begin
  if pg_snapshot_xmax(p_snapshot) < pg_snapshot_xmax(p_known) then
    begin
      -- What this returns is of no interest: it raises for an id that was not given out yet.
      perform pg_xact_status((pg_snapshot_xmax(p_known)::text::numeric - 1)::text::xid8);
    exception
      when invalid_parameter_value then
        perform ledger_private.raise_error(
          jsonb_build_object(
            'code', 'feed_cursor_ahead',
            'cursor_xid', pg_snapshot_xmax(p_known),
            'database_xid', pg_snapshot_xmax(p_snapshot)
          )
        );
    end;
    return false;
  end if;

  if pg_snapshot_xmin(p_snapshot) >= pg_snapshot_xmax(p_known) then
    return true;
  end if;
  return not exists (
    select from pg_snapshot_xip(p_snapshot) xid where pg_visible_in_snapshot(xid, p_known)
  );
end
$$;
