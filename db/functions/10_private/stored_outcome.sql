-- The answer a key already has: the stored one to the same content, key_reused to other content,
-- null when the key is free. Its own statement, so it sees what was committed while the caller
-- waited for locks. Locks nothing.
create or replace function ledger_private.stored_outcome(
  p_ledger_id int,
  p_idem_key text,
  p_fingerprint bytea  -- null: whatever the content
)
returns ledger.payment_result
language plpgsql
volatile
as $$
declare
  v_key ledger.idempotency_keys;
begin
  select *
  into v_key
  from ledger.idempotency_keys
  where ledger_id = p_ledger_id
    and key = p_idem_key;

  if not found then
    return null;
  end if;
  if v_key.fingerprint <> p_fingerprint then
    return ledger_private.refusal('{"code": "key_reused"}');
  end if;
  if v_key.outcome is not null then
    return ledger_private.refusal(v_key.outcome, true);
  end if;

  return (
    'posted', null, true, v_key.payment_id,
    ledger_private.posted_body(p_ledger_id, v_key.payment_id, v_key.render_version)
  )::ledger.payment_result;
end
$$;
