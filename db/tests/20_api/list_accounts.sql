begin;
select plan(26);
select lives_ok(
  $$
    select ledger.create_account(code, 'USD')
    from unnest(
      array['b', 'a:2', 'a', 'a:1', 'a:10', 'B', 'a-1', 'a_1', '1', 'a:1:x', 'a.1', 'ab', 'a@1',
        'z', '_', '-']
    ) code
  $$,
  'Accounts, made in no order'
);

-- The codes of a page.
create function pg_temp.codes(p_arguments text)
returns text
language plpgsql
as $$
declare
  v_codes text;
begin
  execute format(
    'select string_agg(code, '' '') from ledger.list_accounts(%s)', p_arguments
  )
  into v_codes;
  return v_codes;
end
$$;

select tests.remember();
select is(pg_temp.codes(arguments), codes, format('list_accounts(%s)', arguments))
from (
  values
    ('', '- 1 B _ a a-1 a.1 a:1 a:10 a:1:x a:2 a@1 a_1 ab b z'),
    ($$'a'$$, 'a a-1 a.1 a:1 a:10 a:1:x a:2 a@1 a_1 ab'),
    ($$'a:'$$, 'a:1 a:10 a:1:x a:2'),
    ($$'a:1'$$, 'a:1 a:10 a:1:x'),
    ($$'a_'$$, 'a_1'),
    ($$'z'$$, 'z'),
    ($$'A'$$, null),
    ($$'%'$$, null),
    ($$'ä'$$, null),
    ($$'', null, 3$$, '- 1 B'),
    ($$'', 'B', 3$$, '_ a a-1'),
    ($$'', 'B5', 3$$, '_ a a-1'),
    ($$'a', 'a:1', 2$$, 'a:10 a:1:x'),
    ($$'a', 'a:1:x', 1000$$, 'a:2 a@1 a_1 ab'),
    ($$'a:', '_', 2$$, 'a:1 a:10'),
    ($$'a:', 'b', 2$$, null),
    ($$'', 'z'$$, null)
) as pages (arguments, codes);
select is(
  (select count(*) from ledger.list_accounts(p_limit => 1000)), 16::bigint, 'A limit of 1000'
);
select is(
  (select to_jsonb(l) from ledger.list_accounts('a:1:x') l),
  (select to_jsonb(g) from ledger.get_account('a:1:x') g), 'Each is shown as get_account shows it'
);
select tests.raises(
  format('select * from ledger.list_accounts(%s)', arguments), detail, arguments
)
from (
  values
    ('p_limit => 0', '{"code": "limit_out_of_range", "limit": 0}'),
    ('p_limit => -1', '{"code": "limit_out_of_range", "limit": -1}'),
    ('p_limit => 1001', '{"code": "limit_out_of_range", "limit": 1001}'),
    ('p_limit => null', '{"code": "limit_out_of_range", "limit": null}'),
    ('p_ledger_id => 77', '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);
select is_empty(
  format(
    'select * from ledger.list_accounts(p_ledger_id => %s)',
    (select ledger_id from ledger.create_ledger('other'))
  ),
  'Another ledger''s accounts are its own'
);

select * from finish();
rollback;
