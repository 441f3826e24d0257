-- The instant of an ISO 8601 text with an offset; null when it is none.
create or replace function ledger_private.parse_time(p_text text)
returns timestamptz
language plpgsql
immutable parallel safe
as $$
declare
  c_form constant text :=
    '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?'
    '(Z|[+-][0-9]{2}:[0-9]{2})$';
begin
  if p_text ~ c_form then
    return p_text::timestamptz;
  end if;
  return null;
exception
  -- The 31st of February, 25 o'clock, an offset of 99 hours.
  when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value
  then
    return null;
end
$$;
