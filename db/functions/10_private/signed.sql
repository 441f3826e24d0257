-- A message of the relay: HMAC-SHA256 of the body in hex, and the body. The keys are the secret,
-- padded and mixed as HMAC does (RFC 2104): for the whole life of a relay they are the same.
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
