-- Where the relay sends its messages, and what it signs them with: the secret of
-- ledger.notification_secret, filled up to a block of 64 bytes and mixed with 0x36 and 0x5c, as
-- HMAC does (RFC 2104). They are no argument of the relay's, because arguments get into logs.
create or replace function ledger_private.notification_keys(
  out channel text,
  out inner_key bytea,
  out outer_key bytea
)
language plpgsql
stable
as $$
declare
  c_inner constant bit(512) := ('x' || repeat('36', 64))::bit(512);
  c_outer constant bit(512) := ('x' || repeat('5c', 64))::bit(512);
  v_secret bytea;
  v_block bit(512);
begin
  select notification_secret into strict v_secret from ledger_private.settings;
  v_block := ('x' || rpad(encode(v_secret, 'hex'), 128, '0'))::bit(512);
  channel := ledger_private.notification_channel(v_secret);
  -- What varbit_send gives begins with the length, in 4 bytes.
  inner_key := substr(varbit_send(v_block # c_inner), 5);
  outer_key := substr(varbit_send(v_block # c_outer), 5);
end
$$;
