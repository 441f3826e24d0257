begin;
select plan(14);
select tests.open_accounts();
-- Only what is inserted here, under ids of its own choosing.
insert into ledger.account_changes
  (ledger_id, account_id, from_version, status, metadata, xid)
select 1, account_id, from_version, 'open', '{}', x::xid8
from (
  values ('bob', 1, '10'), ('bob', 4, '20'), ('alice', 2, '30'), ('carol', 1, '30')
) as changes (code, from_version, x)
join ledger.accounts using (code);

create function pg_temp.told(p_since text, p_snapshot text, p_limit int default 1000)
returns text
language sql
as $$
  select concat_ws(
    ' -> ',
    coalesce(
      (
        select string_agg(
          format('%s v%s %s', c ->> 0, c ->> 1, coalesce(c ->> 3 || '/' || (c ->> 4), '?')), ', '
          order by c ->> 1, c ->> 0
        )
        from (select e -> 1 as c from jsonb_array_elements(changes) e) c
      ),
      'nothing'
    ),
    next_since
  )
  from ledger_private.feed_account_changes(p_since::pg_snapshot, p_snapshot::pg_snapshot, p_limit)
$$;

select is(
  pg_temp.told('3:3:', '50:50:'), 'bob v0 0/0, carol v0 0/0, alice v1 ?, bob v3 ? -> 31:31:',
  'All; before the first entry the balance is known'
);
select is(pg_temp.told('20:20:', '50:50:'), 'carol v0 0/0, alice v1 ?, bob v3 ? -> 31:31:', 'What is new');
select is(pg_temp.told('21:21:', '50:50:'), 'carol v0 0/0, alice v1 ? -> 31:31:', 'and no more');
select is(pg_temp.told('31:31:', '50:50:'), 'nothing -> 31:31:', 'Nothing is told twice');
select is(pg_temp.told('10:31:10', '50:50:'), 'bob v0 0/0 -> 31:31:', 'What was running');
select is(pg_temp.told('10:31:10', '10:50:10'), 'nothing -> 10:31:10', 'if it has ended');
select is(
  pg_temp.told('3:3:', '20:50:20'), 'bob v0 0/0, carol v0 0/0, alice v1 ? -> 20:31:20',
  'What is running is told later'
);
select is(pg_temp.told('20:31:20', '50:50:'), 'bob v3 ? -> 31:31:', 'when it has ended');
select is(pg_temp.told('3:3:', '30:50:30'), 'bob v0 0/0, bob v3 ? -> 21:21:', 'The end is cut');
select is(
  pg_temp.told('3:3:', '30:30:'), 'bob v0 0/0, bob v3 ? -> 21:21:',
  'Nothing of transactions that began after the snapshot'
);
select is(pg_temp.told('3:3:', '50:50:', 2), 'bob v0 0/0, bob v3 ? -> 21:21:', 'Two at most');
select is(pg_temp.told('21:21:', '50:50:', 2), 'carol v0 0/0, alice v1 ? -> 31:31:', 'and two more');
select is(
  (
    select c
    from jsonb_array_elements(
      (ledger_private.feed_account_changes('21:21:', '50:50:', 2)).changes
    ) c
    where c -> 1 ->> 0 = 'carol'
  ),
  '[1, ["carol", 0, "USD", "0", "0"]]', 'A change in full'
);
select is(
  (
    select changes from ledger_private.feed_account_changes(
      pg_current_snapshot(), format('%s:%s:', x, x)::pg_snapshot, 1000
    )
  ) @> '[[1, ["eva", 0, "EUR", "0", "0"]]]', true, 'A real creation'
)
from (select pg_current_xact_id()::text::bigint + 1 as x) after_own;

select * from finish();
rollback;
