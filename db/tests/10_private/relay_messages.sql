begin;
select plan(13);

create function pg_temp.written(
  p_changes text[],
  p_lsn bigint default 5,
  p_generation text default 'g'
)
returns text[]
language sql
as $$
  select ledger_private.relay_messages(
    7, '00c0ffee0000', p_generation, '2026-11-25 12:00:00.5Z', p_changes, p_lsn, 'inner', 'outer'
  )
$$;

-- Changes of 280 bytes each, the n-th of account n.
create function pg_temp.long(p_count int)
returns text[]
language sql
as $$
  select array_agg(rpad(format('[1,"%s', n), 278, 'x') || '"]' order by n)
  from generate_series(1, p_count) n
$$;

select is(
  pg_temp.written('{"[1,[\"a\",2,\"USD\",\"3\",\"0\"]]"}'),
  array[
    ledger_private.signed(
      '{"form":2,"term":7,"epoch":"00c0ffee0000","generation":"g","read_at":1795608000.5,"lsn":5,'
      '"changes":[[1,["a",2,"USD","3","0"]]]}',
      'inner', 'outer'
    )
  ],
  'A change in a message that is a heartbeat, to the last byte'
);
select is(
  substr((pg_temp.written('{}', 9223372036854775807))[1], 65)::jsonb -> 'lsn',
  '9223372036854775807', 'The place in the log is whole'
);
select is(
  substr((pg_temp.written('{1,2}', null))[1], 65)::jsonb -> 'lsn', 'null',
  'Without it the message is no heartbeat'
);
select is(
  array(select substr(m, 65)::jsonb -> 'changes' from unnest(pg_temp.written('{}')) m),
  array['[]'::jsonb], 'Of nothing there is one message'
);
select is(
  substr((pg_temp.written('{}', 5, generation))[1], 65)::jsonb ->> 'generation', generation,
  'A generation is escaped: ' || generation
)
from unnest(array['"', '\', U&'\00e9\+01f600', E'\t"\n']) generation;

create function pg_temp.told(p_count int, p_lsn bigint default 5)
returns text
language sql
as $$
  select format(
    '%s changes in %s messages of %s bytes, heartbeats: %s',
    case when array_agg(c::text order by place, n) = pg_temp.long(p_count) then count(c)::text else 'other' end,
    count(distinct place), case when max(octet_length(m)) < 8000 then 'less than 8000' else 'more' end,
    string_agg(coalesce(substr(m, 65)::jsonb ->> 'lsn', '-'), ' ' order by place) filter (where n = 1)
  )
  from unnest(pg_temp.written(pg_temp.long(p_count), p_lsn)) with ordinality told (m, place)
  cross join json_array_elements(substr(m, 65)::json -> 'changes') with ordinality changes (c, n)
$$;

select is(pg_temp.told(n, lsn), n || ' changes in ' || told, format('%s of 280 bytes', n))
from (
  values
    (25, 5, '1 messages of less than 8000 bytes, heartbeats: 5'),
    (27, 5, '2 messages of less than 8000 bytes, heartbeats: - 5'),
    (27, null, '2 messages of less than 8000 bytes, heartbeats: - -'),
    (60, 5, '3 messages of less than 8000 bytes, heartbeats: - - 5')
) as many (n, lsn, told);
select ok(
  (select bool_and(octet_length(m) < 8000) from unnest(m) m)
    and array_agg(c.c::text order by place, n) = changes,
  'Short ones and long ones in turn: all in order'
)
from (
  select array_agg(case when n > 200 then rpad('"', 270, 'x') || '"' else '"short"' end order by n) as changes
  from generate_series(1, 300) n
) mixed
cross join pg_temp.written(changes) m
cross join unnest(m) with ordinality messages (message, place)
cross join json_array_elements(substr(message, 65)::json -> 'changes') with ordinality c (c, n)
group by m, changes;

select * from finish();
rollback;
