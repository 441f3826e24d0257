-- What the relay tells, as texts for NOTIFY, which takes less than 8000 bytes: in each, after its
-- HMAC-SHA256 in hex (see ledger_private.signed), the JSON that service/cache/notices.py reads.
-- p_changes are JSON texts of less than 300 bytes, and go into as many messages as they need, in
-- order; the last one has p_lsn, which makes it a heartbeat, if there is one.
--
-- A message has as many changes as the next one, not as many as it has room for: to weigh each of
-- them costs as much as all the rest.
create or replace function ledger_private.relay_messages(
  p_term bigint,
  p_epoch text,
  p_generation text,
  p_read_at timestamptz,
  p_changes text[],
  p_lsn bigint,
  p_inner_key bytea,
  p_outer_key bytea
)
returns text[]
language plpgsql
stable
as $$
declare
  c_room constant int := 7300;  -- bytes of changes
  v_head constant text := concat(
    '{"form":2,"term":', p_term, ',"epoch":', to_json(p_epoch), ',"generation":',
    to_json(p_generation), ',"read_at":', extract(epoch from p_read_at)::float8, ',"lsn":'
  );
  v_lsn constant text := coalesce(p_lsn::text, 'null');
  v_changes constant text := array_to_string(p_changes, ',');
  -- A change is less than 300 bytes: where all are of one size, none of the parts is too large.
  v_parts int := octet_length(v_changes) / (c_room - 300) + 1;
  v_each int;
  v_slices text[];
begin
  if octet_length(v_changes) <= c_room then
    return array[
      ledger_private.signed(
        concat(v_head, v_lsn, ',"changes":[', v_changes, ']}'), p_inner_key, p_outer_key
      )
    ];
  end if;

  loop
    v_each := ceil(cardinality(p_changes)::numeric / v_parts);
    v_slices := array(
      select array_to_string(p_changes[n : n + v_each - 1], ',')
      from generate_series(1, cardinality(p_changes), v_each) n
      order by n
    );
    exit when v_each = 1
      or c_room >= all (select octet_length(slice) from unnest(v_slices) slice);
    v_parts := 2 * v_parts;
  end loop;

  return array(
    select
      ledger_private.signed(
        concat(
          v_head, case when place = cardinality(v_slices) then v_lsn else 'null' end,
          ',"changes":[', slice, ']}'
        ),
        p_inner_key, p_outer_key
      )
    from unnest(v_slices) with ordinality s (slice, place)
    order by place
  );
end
$$;
