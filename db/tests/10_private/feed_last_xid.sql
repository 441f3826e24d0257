begin;
select plan(6);
select tests.open_accounts();
insert into ledger.payments (ledger_id, payment_id, posted_at, xid, feed_epoch, kind, metadata)
select 1, gen_random_uuid(), now(), x::xid8, epoch, 'payment', '{}'
from (values ('30', -1), ('20', -1), ('40', -1), ('50', -2)) as payments (x, epoch);

select is(
  ledger_private.feed_last_xid(-1, p_from::xid8, snapshot::pg_snapshot)::text, expected, description
)
from (
  values
    ('3', '60:60:', '40', 'The newest of this epoch'),
    ('40', '60:60:', '40', 'It may be the first that is asked for'),
    ('41', '60:60:', null, 'None: all are older'),
    ('3', '40:40:', '30', 'Not one that the snapshot ends before'),
    ('3', '20:20:', null, 'None: all are newer')
) as cases (p_from, snapshot, expected, description);
select is(
  ledger_private.feed_last_xid(
    1, '3', (x || ':' || (x::bigint + 1) || ':')::pg_snapshot
  )::text, x, 'The transaction of a payment'
)
from (select pg_current_xact_id()::text as x) own;

select * from finish();
rollback;
