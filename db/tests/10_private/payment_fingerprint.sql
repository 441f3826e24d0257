begin;
select plan(6);

create function pg_temp.print(
  p_kind text default 'payment',
  p_changes ledger_private.change[]
    default array[(1, 'a', 'USD', -100, 0), (1, 'b', 'USD', 100, 0)]::ledger_private.change[],
  p_description text default 'tea',
  p_metadata jsonb default '{"a": 1, "b": "x"}',
  p_effective_at timestamptz default '2026-01-01Z'
)
returns bytea
language sql
as $$
  select ledger_private.payment_fingerprint(
    p_kind, p_changes, p_description, p_metadata, p_effective_at
  )
$$;

select is(length(pg_temp.print()), 32, 'A SHA-256');
-- Once released, what is stored must go on matching: a change of this value needs a migration.
select is(
  encode(pg_temp.print(), 'hex'),
  encode(
    sha256(
      convert_to(
        '(payment,"{""(1,a,USD,-100,0)"",""(1,b,USD,100,0)""}",tea,"{""a"": 1, ""b"": ""x""}",'
        '1767225600000000)',
        'UTF8'
      )
    ),
    'hex'
  ),
  'of this text'
);
select is(pg_temp.print(p_metadata => '{"b":"x","a":1}'), pg_temp.print(), 'Order and spaces in JSON do not count');
select is(pg_temp.print(p_effective_at => '2026-01-01 05:45+05:45'), pg_temp.print(), 'nor how a time is written');
create temporary table prints (what text, print bytea);
insert into prints values
  ('the base', pg_temp.print()),
  ('kind', pg_temp.print(p_kind => 'hold')),
  ('no description', pg_temp.print(p_description => null)),
  ('an empty description', pg_temp.print(p_description => '')),
  ('a description that looks like none', pg_temp.print(p_description => 'null')),
  ('description and metadata run together',
    pg_temp.print(p_description => 'tea,"{""a"": 1}"', p_metadata => '{}')),
  ('no metadata', pg_temp.print(p_metadata => '{}')),
  ('other metadata', pg_temp.print(p_metadata => '{"a": 1, "b": "y"}')),
  ('metadata 1.0', pg_temp.print(p_metadata => '{"a": 1.0, "b": "x"}')),
  ('metadata "1"', pg_temp.print(p_metadata => '{"a": "1", "b": "x"}')),
  ('no effective_at', pg_temp.print(p_effective_at => null)),
  ('a microsecond later', pg_temp.print(p_effective_at => '2026-01-01 00:00:00.000001Z')),
  ('amount', pg_temp.print(p_changes => array[(1, 'a', 'USD', -101, 0), (1, 'b', 'USD', 101, 0)]::ledger_private.change[])),
  ('held', pg_temp.print(p_changes => array[(1, 'a', 'USD', -100, 1), (1, 'b', 'USD', 100, 0)]::ledger_private.change[])),
  ('sender', pg_temp.print(p_changes => array[(1, 'c', 'USD', -100, 0), (1, 'b', 'USD', 100, 0)]::ledger_private.change[])),
  ('receiver', pg_temp.print(p_changes => array[(1, 'a', 'USD', -100, 0), (1, 'c', 'USD', 100, 0)]::ledger_private.change[])),
  ('order', pg_temp.print(p_changes => array[(1, 'b', 'USD', 100, 0), (1, 'a', 'USD', -100, 0)]::ledger_private.change[])),
  ('currency', pg_temp.print(p_changes => array[(1, 'a', 'EUR', -100, 0), (1, 'b', 'EUR', 100, 0)]::ledger_private.change[])),
  ('posting', pg_temp.print(p_changes => array[(1, 'a', 'USD', -100, 0), (2, 'b', 'USD', 100, 0)]::ledger_private.change[])),
  ('one change', pg_temp.print(p_changes => array[(1, 'a', 'USD', -100, 0)]::ledger_private.change[])),
  ('two payments in one',
    pg_temp.print(p_changes => array[(1, 'a', 'USD', -50, 0), (1, 'b', 'USD', 50, 0), (2, 'a', 'USD', -50, 0), (2, 'b', 'USD', 50, 0)]::ledger_private.change[]));
select is_empty(
  $$select a.what, b.what from prints a join prints b on a.print = b.print and a.what < b.what$$,
  'Any difference in what a payment says makes another fingerprint'
);

set local timezone = 'Asia/Kathmandu';
set local datestyle = 'German, DMY';
set local extra_float_digits = -15;
set local bytea_output = 'escape';
set local quote_all_identifiers = on;
select is(pg_temp.print(), print, 'No setting makes one')
from prints where what = 'the base';

select * from finish();
rollback;
