begin;
select plan(26);
select tests.open_accounts();

-- Payments p1, p2, ... by transaction; the ids of `strays` are out of the range 1 to 9.
create function pg_temp.id(p_number int)
returns uuid
language sql
as $$
  select lpad(p_number::text, 32, '0')::uuid
$$;
insert into ledger.payments (ledger_id, payment_id, posted_at, xid, feed_epoch, kind, metadata)
select 1, pg_temp.id(number), now(), x::xid8, epoch, 'payment', '{}'
from (
  values
    (1, '10', -1), (2, '20', -1), (4, '20', -1), (3, '30', -1), (5, '40', -1), (6, '40', -2),
    (11, '15', -1), (12, '25', -1), (13, '40', -1)
) as payments (number, x, epoch);

create function pg_temp.page(
  p_since text,
  p_upto text,
  p_limit int default 1000,
  p_after_xid text default null,
  p_after int default null,
  p_swept text default null
)
returns text
language sql
as $$
  select concat_ws(
    ' ',
    coalesce(
      (
        select string_agg(ltrim(right(p ->> 'payment_id', 2), '0'), ' ' order by place)
        from json_array_elements(payments) with ordinality p (p, place)
      ),
      'nothing'
    ),
    case when has_more then '...' end,
    case when last_xid is not null then format('(%s/%s)', last_xid, right(last_payment_id::text, 2)) end
  )
  from ledger_private.feed_page(
    -1, p_since::pg_snapshot, pg_temp.id(1), pg_temp.id(9), p_swept::pg_snapshot,
    p_upto::pg_snapshot, p_after_xid::xid8, pg_temp.id(p_after), p_limit
  )
$$;

select is(pg_temp.page('3:3:', '50:50:'), '1 2 4 3 5 (40/05)', 'All, in order');
select is(pg_temp.page('20:20:', '50:50:'), '2 4 3 5 (40/05)', 'What began after the snapshot');
select is(pg_temp.page('10:40:10', '50:50:'), '1 5 (40/05)', 'and what was running');
select is(pg_temp.page('10:40:10', '10:50:10'), '5 (40/05)', 'if it has ended');
select is(pg_temp.page('3:3:', '20:40:20'), '1 3 (30/03)', 'Nothing that upto does not show');
select is(pg_temp.page('20:40:20', '20:40:20'), 'nothing', 'Nothing is new to the same snapshot');
select is(pg_temp.page('50:50:', '60:60:'), 'nothing', 'Nothing is new');

select is(pg_temp.page('3:3:', '50:50:', 2), '1 2 ... (20/02)', 'The first page');
select is(pg_temp.page('3:3:', '50:50:', 2, '20', 2), '4 3 ... (30/03)', 'The second page');
select is(pg_temp.page('3:3:', '50:50:', 2, '30', 3), '5 (40/05)', 'The last page');
select is(pg_temp.page('3:3:', '50:50:', 5), '1 2 4 3 5 (40/05)', 'A full page with no more');
select is(pg_temp.page('3:3:', '50:50:', 4), '1 2 4 3 ... (30/03)', 'A full page with one more');
select is(pg_temp.page('10:30:10,20', '50:50:', 1), '1 ... (10/01)', 'Pages of what was running');
select is(pg_temp.page('10:30:10,20', '50:50:', 1, '10', 1), '2 ... (20/02)', 'go on');
select is(pg_temp.page('10:30:10,20', '50:50:', 1, '20', 2), '4 ... (20/04)', 'in a transaction');
select is(pg_temp.page('10:30:10,20', '50:50:', 9, '20', 4), '3 5 (40/05)', 'to what is newer');

select is(
  pg_temp.page('3:3:', '50:50:', p_swept => '3:3:'), '1 11 2 4 12 3 5 13 (40/13)',
  'A sweep takes all ids'
);
select is(
  pg_temp.page('30:30:', '50:50:', p_swept => '15:25:15'), '11 12 3 5 13 (40/13)',
  'Of those out of the range, what was not swept'
);
select is(
  pg_temp.page('20:40:20', '20:50:20', p_swept => '20:20:'), '12 5 13 (40/13)',
  'Of those in the range, what was not read'
);
select is(
  pg_temp.page('20:40:20', '50:50:', p_swept => '20:20:'), '2 4 12 5 13 (40/13)',
  'with what was running'
);
select is(
  pg_temp.page('30:30:', '50:50:', 2, '25', 12, '15:25:15'), '3 5 ... (40/05)', 'Pages of a sweep'
);
select is(
  (
    select json_array_length(payments) || ' with ' || json_array_length(payments -> 0 -> 'entries')
    from ledger_private.feed_page(
      1, '3:3:', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
      null, format('%s:%s:', x, x)::pg_snapshot, null, null, 1000
    )
  ),
  '2 with 2', 'Payments come with their entries'
)
from (select pg_current_xact_id()::text::bigint + 1 as x) after_own;

select is(
  format(
    '%s payments, %s, the last %s',
    p.payment_count, case when p.has_more then 'more' else 'no more' end, right(p.last_payment_id::text, 1)
  ),
  told, format('Pages of %s count what they hold', n)
)
from (
  values (2, '2 payments, more, the last 2'), (5, '5 payments, no more, the last 5'),
    (9, '5 payments, no more, the last 5')
) as pages (n, told)
cross join ledger_private.feed_page(
  -1, '3:3:', pg_temp.id(1), pg_temp.id(9), null, '50:50:', null, null, n, true
) p;
select is(
  (
    select string_agg(concat_ws(' ', c ->> 0, c ->> 1, c ->> 3), ', ' order by c ->> 0)
    from ledger_private.feed_page(
      1, '3:3:', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
      null, format('%s:%s:', x, x)::pg_snapshot, null, null, 1000, true
    ) p
    cross join json_array_elements(p.payments) e
    cross join lateral (select e -> 1 as c) changes
  ),
  'alice 1 500, eva 1 300, world 1 -500, world-eur 1 -300', 'or what they made of the accounts'
)
from (select pg_current_xact_id()::text::bigint + 1 as x) after_own;

select * from finish();
rollback;
