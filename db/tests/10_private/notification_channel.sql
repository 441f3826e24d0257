begin;
select plan(2);

select is(
  ledger_private.notification_channel('secret'),
  'payledger_' || left(encode(sha256('channelsecret'), 'hex'), 32), 'It is named by a hash'
);
select isnt(
  ledger_private.notification_channel('secret'), ledger_private.notification_channel('secreT'),
  'of the secret'
);

select * from finish();
rollback;
