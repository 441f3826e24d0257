-- Sends messages to the listeners, if the lease of p_term is running, and prolongs it. False: it is
-- not, and nothing was sent. The generation is noted in the lease whenever that is prolonged: for
-- who looks there, nothing depends on it.
--
-- Sending takes an id and a lock of the whole cluster that other transactions with a NOTIFY wait
-- for, until the commit is flushed: call it with synchronous_commit off, in a transaction of its
-- own. When the queue is full it raises 54000. Locks the lease's row when it is prolonged, about
-- once a second. Raises argument_invalid.
create or replace function ledger.tell_listeners(
  p_term bigint,
  p_generation text,
  p_channel text,
  p_messages text[]
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1s'
as $$
declare
  v_lease ledger_private.relay_lease;
begin
  if num_nulls(p_term, p_generation, p_channel, p_messages) > 0
    or octet_length(p_channel) not between 1 and 63
  then
    perform ledger_private.raise_argument_invalid(
      case
        when p_term is null then 'p_term'
        when p_generation is null then 'p_generation'
        when p_messages is null then 'p_messages'
        else 'p_channel'
      end,
      case
        when num_nulls(p_term, p_generation, p_channel, p_messages) > 0 then 'null'
        else 'not of 1 to 63 bytes'
      end
    );
  end if;

  select * into strict v_lease from ledger_private.relay_lease;
  if v_lease.term <> p_term or not ledger_private.is_lease_running(v_lease.expires_at) then
    return false;
  end if;

  if v_lease.expires_at < clock_timestamp() + ledger_private.lease_length() / 2 then
    update ledger_private.relay_lease
    set
      generation = p_generation,
      expires_at = clock_timestamp() + ledger_private.lease_length()
    where term = p_term;
    if not found then
      return false;
    end if;
  end if;

  perform pg_notify(p_channel, m.message)
  from unnest(p_messages) with ordinality m (message, place)
  order by m.place;

  return true;
end
$$;

comment on function ledger.tell_listeners is
  'For the relay: sends signed messages to all listeners, as long as its lease is running, and '
  'prolongs the lease.';
