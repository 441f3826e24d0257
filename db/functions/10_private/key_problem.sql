-- What is malformed about an idempotency key, as {"code", values}; null: nothing.
create or replace function ledger_private.key_problem(p_idem_key text)
returns jsonb
language plpgsql
immutable parallel safe
as $$
begin
  if p_idem_key is null or p_idem_key = '' then
    return '{"code": "idempotency_key_missing"}';
  end if;
  if length(p_idem_key) > 255 then
    return jsonb_build_object(
      'code', 'idempotency_key_too_long', 'length', length(p_idem_key), 'limit', 255
    );
  end if;
  if p_idem_key collate "C" !~ '^[!-~]+$' then
    return '{"code": "idempotency_key_malformed"}';
  end if;

  return null;
end
$$;
