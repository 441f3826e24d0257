-- Makes the partitions of payments and ledger_entries that will be needed, ahead of time. Each is
-- built apart and attached with a lock timeout, so posting is never held up: behind a pg_dump the
-- work is postponed, said so, and done by the next call. Run by the relay; safe to run at any time.
-- Raises argument_invalid.
create or replace function ledger.maintain_partitions(
  p_now timestamptz default clock_timestamp()
)
returns table (partition text, action text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_settings ledger_private.settings;
  v_from timestamptz;
  v_until timestamptz;
  v_ahead int;
  v_parent text;
begin
  if p_now is null or not isfinite(p_now) then
    perform ledger_private.raise_argument_invalid('p_now', 'null or infinite');
  end if;

  -- One at a time; the second finds the work done.
  perform pg_advisory_xact_lock(hashtextextended('ledger.maintain_partitions', 0));
  select * into strict v_settings from ledger_private.settings;

  foreach v_parent in array array['payments', 'ledger_entries'] loop
    partition := v_parent || '_default';
    if to_regclass(format('ledger.%I', partition)) is null then
      perform ledger_private.build_partition(v_parent, partition);
      action := case
        when ledger_private.attach_partition(v_parent, partition, null, null) then 'created'
        else 'postponed: locked'
      end;
      return next;
    else
      action := ledger_private.bound_default_partition(v_parent);
      if action is not null then
        return next;
      end if;
    end if;

    select
      coalesce(
        max(ledger_private.payment_id_time(until_id)),
        ledger_private.next_partition_bound(
          p_now - v_settings.partition_width, v_settings.partition_width
        )
      ),
      count(*) filter (where from_id > ledger_private.payment_id_at(p_now))
    into v_from, v_ahead
    from ledger_private.partitions(format('ledger.%I', v_parent)::regclass);

    while v_ahead < v_settings.partitions_ahead loop
      v_until := ledger_private.next_partition_bound(v_from, v_settings.partition_width);
      partition := format('%s_%s', v_parent, to_char(v_from at time zone 'UTC', 'YYYYMMDD'));
      perform ledger_private.build_partition(v_parent, partition);
      if not ledger_private.attach_partition(
        v_parent, partition,
        ledger_private.payment_id_at(v_from), ledger_private.payment_id_at(v_until)
      ) then
        execute format('drop table ledger.%I', partition);
        action := 'postponed: locked';
        return next;
        exit;
      end if;
      action := 'created';
      return next;

      v_ahead := v_ahead + (v_from > p_now)::int;
      v_from := v_until;
    end loop;
  end loop;
end
$$;

comment on function ledger.maintain_partitions is
  'Makes the partitions of payments and ledger_entries that the coming time needs; a row for each '
  'thing done. Width and number are in ledger_private.settings.';
