-- Sends messages to the listeners, if the lease of p_term is running, and prolongs it. False: it is
-- not, and nothing was sent. The generation is noted in the lease whenever that is prolonged: for
-- who looks there, nothing depends on it.
--
-- Sending takes an id and a lock of the whole cluster that other transactions with a NOTIFY wait
-- for, until the commit is flushed: call it with synchronous_commit off, in a transaction of its
-- own. When the queue is full it raises 54000. Locks the lease's row when it is prolonged, about
-- once a second.
create or replace function ledger_private.tell_listeners(
  p_term bigint,
  p_generation text,
  p_channel text,
  p_messages text[]
)
returns boolean
language plpgsql
volatile
as $$
declare
  v_lease ledger_private.relay_lease;
begin
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
