-- Any login may LISTEN to a channel and NOTIFY on it, but has to know its name. So the channel is
-- one that only who may read the secret knows: what is told there are account codes and balances.
-- Locks nothing.
create or replace function ledger.notification_secret()
returns table (channel text, secret bytea)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select
    ledger_private.notification_channel(s.notification_secret),
    s.notification_secret
  from ledger_private.settings s;
end
$$;

comment on function ledger.notification_secret is
  'For the relay and its listeners: the channel of the relay''s messages, and the key of their '
  'HMAC-SHA256.';
