-- check_limit takes the most that a page may have, too: with both of them there, a call with one
-- argument would be of neither.
drop function if exists ledger_private.check_limit(int);
