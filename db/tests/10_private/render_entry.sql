begin;
select plan(3);

select is(ledger_private.render_entry(entry), rendered, 'These bytes are replayed for ever')
from (
  values
    (
      (1, 7, 'alice', 'USD', -100, 0, 3, 400, 0)::ledger_private.entry,
      '{"posting_no":1,"account":"alice","currency":"USD","amount":"-100","balance_before":"500",'
      '"balance_after":"400","version":3}'
    ),
    (
      (100, 7, 'a:b.c@d_e-F', 'POINTS_2', 1e38 - 1, 0, 9223372036854775807, 1e38 - 1, 0)::ledger_private.entry,
      '{"posting_no":100,"account":"a:b.c@d_e-F","currency":"POINTS_2",'
      '"amount":"99999999999999999999999999999999999999","balance_before":"0",'
      '"balance_after":"99999999999999999999999999999999999999","version":9223372036854775807}'
    ),
    (
      (1, 7, 'a', 'USD', 5, 0, 1, -5, 0)::ledger_private.entry,
      '{"posting_no":1,"account":"a","currency":"USD","amount":"5","balance_before":"-10",'
      '"balance_after":"-5","version":1}'
    )
) as entries (entry, rendered);

select * from finish();
rollback;
