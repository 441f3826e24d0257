begin;
select plan(15);

create function pg_temp.take(p_holder text, p_generation text default 'g')
returns text
language sql
as $$
  select format('%s term %s of %s', case when taken then 'taken,' else 'refused,' end, term, holder)
  from ledger.take_relay_lease(p_holder, p_generation)
$$;
create function pg_temp.lease()
returns text
language sql
as $$
  select format('%s %s %s', term, holder, generation) from ledger_private.relay_lease
$$;

set local synchronous_commit = off;
select is(pg_temp.take('a', 'g1'), 'taken, term 1 of a', 'The first one takes it');
select is(current_setting('synchronous_commit'), 'on', 'Whoever takes it has it after a crash, too');
select is(pg_temp.lease(), '1 a g1', 'It is noted with the generation');
select ok(
  expires_at - clock_timestamp() between '1 second' and '2 seconds'
    and taken_at between clock_timestamp() - interval '1 second' and clock_timestamp(),
  'for two seconds, by the clock, not by the transaction'
)
from ledger_private.relay_lease;
select is(pg_temp.take('b'), 'refused, term 1 of a', 'Another one is told who has it');
select is(pg_temp.lease(), '1 a g1', 'and changes nothing');
select is(pg_temp.take('a', 'g2'), 'taken, term 2 of a', 'Who has it may begin a new term');
select is(pg_temp.lease(), '2 a g2', 'with a new generation');
update ledger_private.relay_lease set expires_at = clock_timestamp();
select is(pg_temp.take('b', 'g3'), 'taken, term 3 of b', 'When it has run out, another one takes it');
select is(pg_temp.lease(), '3 b g3', 'Its holder is another');
update ledger_private.relay_lease set expires_at = clock_timestamp() + interval '1 hour';
select is(
  pg_temp.take('c'), 'taken, term 4 of c', 'Nobody waits for a clock that was set back to catch up'
);
select is(pg_temp.take('b'), 'refused, term 4 of c', 'From then on it is this one''s');
update ledger_private.relay_lease set expires_at = '-infinity';
select tests.raises(
  format('select * from ledger.take_relay_lease(%L, %L)', holder, generation),
  jsonb_build_object('code', 'argument_invalid', 'argument', argument, 'reason', 'null')::text,
  'A lease has a holder and a generation'
)
from (values (null, 'g', 'p_holder'), ('d', null, 'p_generation'))
  as nobody (holder, generation, argument);
select is(pg_temp.lease(), '4 c g', 'and else is not taken');

select * from finish();
rollback;
