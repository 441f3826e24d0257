-- The channel of the relay's messages: only who knows the secret knows its name.
create or replace function ledger_private.notification_channel(p_secret bytea)
returns text
language sql
immutable
as $$
  select concat(
    'payledger_', left(encode(sha256(convert_to('channel', 'UTF8') || p_secret), 'hex'), 32)
  )
$$;
