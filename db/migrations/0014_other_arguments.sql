-- Functions that have other arguments now: with both of them there, a call could be of either.
drop function if exists ledger_private.check_limit(int);
drop function if exists ledger_private.render_plain_payment(
  uuid, timestamptz, text, numeric, bigint, text, numeric, bigint, numeric, text
);
