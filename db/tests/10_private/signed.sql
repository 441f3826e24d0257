begin;
select plan(4);

-- The keys, padded with zeros to a block of 64 bytes, and mixed with 36 and 5c.
create temporary table keys as
select
  name,
  decode(rpad(inside, 128, '36'), 'hex') as inner_key,
  decode(rpad(outside, 128, '5c'), 'hex') as outer_key
from (
  values
    ('0b, 20 times', repeat('3d', 20), repeat('57', 20)), ('Jefe', '7c535053', '16393a39')
) as hashed (name, inside, outside);

select is(ledger_private.signed(body, inner_key, outer_key), hmac || body, told)
from keys
join (
  values
    (
      '0b, 20 times', 'Hi There',
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7', 'Case 1 of RFC 4231'
    ),
    (
      'Jefe', 'what do ya want for nothing?',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'Case 2'
    ),
    (
      '0b, 20 times', U&'\00e9\+01f600',
      'ea80a91e51cb6e96326494fea943082403bd49faa6688685f040bcb7f6cc7aa0', 'It is of UTF-8'
    )
) as cases (key, body, hmac, told) on key = name;
select isnt(
  ledger_private.signed('Hi There', inner_key, outer_key),
  ledger_private.signed('Hi there', inner_key, outer_key), 'Another body, another signature'
)
from keys
limit 1;

select * from finish();
rollback;
