begin;
select plan(8);

select is(
  ledger_private.feed_snapshot(snapshot::pg_snapshot, since::pg_snapshot, last::xid8)::text,
  expected, description
)
from (
  values
    ('20:20:', '3:3:', '15', '16:16:', 'It ends after the last payment'),
    ('20:20:', '3:3:', null, '3:3:', 'Without a payment it ends where it did'),
    ('20:20:', '18:18:', '15', '18:18:', 'It never goes back'),
    ('10:20:10,15,17', '3:3:', '15', '10:16:10,15', 'What runs below its end is kept'),
    ('10:20:10,17', '10:12:10,11', null, '10:12:10', 'also without a payment'),
    ('20:20:', '10:12:10,11', null, '12:12:', 'What has ended is not'),
    ('11:20:11,17', '10:12:10,11', '10', '11:12:11', 'even if it was a payment'),
    (
      '9223372036854775000:9223372036854775807:', '3:3:', '9223372036854775000',
      '9223372036854775001:9223372036854775001:', 'Ids have 64 bits'
    )
) as snapshots (snapshot, since, last, expected, description);

select * from finish();
rollback;
