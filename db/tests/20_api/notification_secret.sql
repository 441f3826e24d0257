begin;
select plan(5);

create temporary table told as select * from ledger.notification_secret();
select is(octet_length(secret), 32, 'The secret is of 32 bytes') from told;
select is(secret, s.notification_secret, 'It is the one that is kept')
from told, ledger_private.settings s;
select matches(channel, '^payledger_[0-9a-f]{32}$', 'The channel has a name') from told;
update ledger_private.settings set notification_secret = sha256('another');
select isnt(n.channel, told.channel, 'which only the secret tells')
from told, ledger.notification_secret() n;
select ok(position(encode(told.secret, 'hex') in told.channel) = 0, 'and does not tell it') from told;

select * from finish();
rollback;
