-- Value domains. A domain's rule is checked where a value enters a column, not again whenever the
-- row is written: posting updates a balance without re-reading the form of the account's code.

create domain ledger.amount as numeric(38, 0)
  constraint amount_is_positive check (value > 0 and value <> 'NaN');

comment on domain ledger.amount is
  'What a posting moves: integer minor units (cents, yen, satoshi), 1 to 10^38 - 1.';

create domain ledger.balance as numeric(38, 0)
  constraint balance_is_a_number check (value <> 'NaN');

comment on domain ledger.balance is
  'A signed sum of amounts: integer minor units, within 10^38 - 1 either way.';

create domain ledger.held as numeric(38, 0)
  constraint held_is_not_negative check (value >= 0 and value <> 'NaN');

comment on domain ledger.held is 'The reserved part of a balance: integer minor units.';

create domain ledger.account_code as text collate "C"
  constraint account_code_is_well_formed
    check (length(value) <= 128 and value ~ '^[A-Za-z0-9_-]+([:.@][A-Za-z0-9_-]+)*$');

comment on domain ledger.account_code is
  'Letters, digits, _ and -, in parts joined by : . or @, at most 128 characters; : makes a '
  'hierarchy: customers:1234:wallet.';

create domain ledger.currency_code as text collate "C"
  constraint currency_code_is_well_formed check (value ~ '^[A-Z][A-Z0-9_]{2,11}$');

comment on domain ledger.currency_code is
  'ISO 4217, or an own code of 3 to 12 capitals, digits and _.';

create domain ledger.account_type as text
  constraint account_type_is_known
    check (value in ('asset', 'liability', 'equity', 'income', 'expense'));

create domain ledger.account_status as text
  constraint account_status_is_known check (value in ('open', 'frozen', 'closed'));

create domain ledger.metadata as jsonb
  constraint metadata_is_an_object check (jsonb_typeof(value) = 'object');

create domain ledger.sha256 as bytea
  constraint sha256_is_32_bytes check (length(value) = 32);
