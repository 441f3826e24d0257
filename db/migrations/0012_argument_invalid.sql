-- What administrators' and the relay's functions say of an argument that no other code is for.
insert into ledger.error_codes (precedence, code, outcome, sqlstate, message, hint) values
  (617, 'argument_invalid', 'raised', 'LG617',
   'An argument of the function is not of the expected form.',
   'Correct the argument; "argument" and "reason" say what is wrong.');
