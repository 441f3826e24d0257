begin;
select plan(4);

-- RFC 4231, test case 2: the key "Jefe".
update ledger_private.settings set notification_secret = 'Jefe';
select is(
  left(ledger_private.signed('what do ya want for nothing?', inner_key, outer_key), 64),
  '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'They are those of HMAC'
)
from ledger_private.notification_keys();
select is(
  array[octet_length(inner_key), octet_length(outer_key)], array[64, 64], 'A block each'
)
from ledger_private.notification_keys();
select is(k.channel, s.channel, 'The channel that listeners know')
from ledger_private.notification_keys() k, ledger.notification_secret() s;

update ledger_private.settings set notification_secret = sha256('another');
select is(k.channel, s.channel, 'It changes with the secret')
from ledger_private.notification_keys() k, ledger.notification_secret() s;

select * from finish();
rollback;
