-- What is malformed about what a payment carries besides its postings, as {"code", values}; null:
-- nothing. In order of precedence. Touches no table.
create or replace function ledger_private.content_problem(
  p_description text,
  p_metadata jsonb,
  p_effective_at timestamptz
)
returns jsonb
language plpgsql
immutable parallel safe
as $$
begin
  if length(p_description) > 1000 then
    return jsonb_build_object(
      'code', 'description_too_long', 'length', length(p_description), 'limit', 1000
    );
  end if;

  if p_metadata is distinct from '{}' then
    if p_metadata is null or jsonb_typeof(p_metadata) <> 'object' then
      return '{"code": "metadata_not_object"}';
    end if;
    if octet_length(p_metadata::text) > 16384 then
      return jsonb_build_object(
        'code', 'metadata_too_large', 'bytes', octet_length(p_metadata::text), 'limit', 16384
      );
    end if;
  end if;

  if p_effective_at < '0001-01-01 00:00:00 UTC' or p_effective_at >= '10000-01-01 00:00:00 UTC' then
    return '{"code": "effective_at_out_of_range"}';
  end if;

  return null;
end
$$;
