begin;
select plan(32);

create function pg_temp.in_domain(p_code text)
returns boolean
language plpgsql
as $$
begin
  perform p_code::ledger.currency_code;
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
    ('USD', true), ('A00', true), ('A_B', true), ('ABCDEFGHIJKL', true), ('POINTS_2', true),
    ('', false), (null, false), ('US', false), ('usd', false), ('1US', false), ('_US', false),
    ('ABCDEFGHIJKLM', false), ('US-', false), ('USD ', false), (E'USD\n', false), ('ÜSD', false)
) as c (code, good);
select is(
  ledger_private.is_currency_code(code), good,
  format('%L is %s currency code', code, case when good then 'a' else 'no' end)
)
from codes;
select is(
  pg_temp.in_domain(code), ledger_private.is_currency_code(code),
  format('The domain agrees about %L', code)
)
from codes;

select * from finish();
rollback;
