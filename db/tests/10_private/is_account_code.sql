begin;
select plan(69);

-- The function and the domain must agree.
create function pg_temp.in_domain(p_code text)
returns boolean
language plpgsql
as $$
begin
  perform p_code::ledger.account_code;
  return p_code is not null;
exception
  when check_violation then
    return false;
end
$$;
create temporary table codes as
select code, good
from (
  values
    ('a', true), ('A', true), ('0', true), ('_', true), ('-', true), ('a:b', true), ('a.b', true),
    ('a@b', true), ('a:b:c.d@e', true), ('customers:1234:wallet', true), (repeat('a', 128), true),
    ('', false), (null, false), (':', false), (':a', false), ('a:', false), ('a::b', false),
    ('a:.b', false), ('a b', false), (' a', false), ('a ', false), (E'a\n', false), (E'\na', false),
    ('ä', false), ('a/b', false), ('a~b', false), ('a%', false), ('a''', false), ('a"', false),
    ('a\b', false), (repeat('a', 129), false), ('ａ', false), ('а', false), ('ı', false)
) as c (code, good);
select is(
  ledger_private.is_account_code(code), good,
  format('%L is %s account code', left(code, 40), case when good then 'an' else 'no' end)
)
from codes;
select is(
  pg_temp.in_domain(code), ledger_private.is_account_code(code),
  format('The domain agrees about %L', left(code, 40))
)
from codes;
select is(
  string_agg(chr(c), '' order by c), '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz',
  'The characters a code can consist of'
)
from generate_series(1, 1000) c
where ledger_private.is_account_code(chr(c));

select * from finish();
rollback;
