-- A message of the relay: HMAC-SHA256 of the body in hex, and the body. The keys: as of
-- ledger_private.notification_keys.
create or replace function ledger_private.signed(
  p_body text,
  p_inner_key bytea,
  p_outer_key bytea
)
returns text
language sql
stable
as $$
  select
    encode(sha256(p_outer_key || sha256(p_inner_key || convert_to(p_body, 'UTF8'))), 'hex')
    || p_body
$$;
