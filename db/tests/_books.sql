-- What the pgTAP tests share, loaded once beside pgTAP (schema tap) and _breaches.sql.
set search_path = tests, tap;

create function tests.books(p_description text default 'the books are sound')
returns text
language sql
as $$
  select is_empty('select * from tests.breaches', p_description)
$$;

-- One text that changes when any row of the ledger does.
create function tests.state()
returns text
language sql
as $$
  select md5(string_agg(row_text, '|' order by row_text))
  from (
    select 'ledger ' || t::text from ledger.ledgers t
    union all select 'currency ' || t::text from ledger.currencies t
    union all select 'account ' || t::text from ledger.accounts t
    union all select 'change ' || t::text from ledger.account_changes t
    union all select 'payment ' || t::text from ledger.payments t
    union all select 'entry ' || t::text from ledger.ledger_entries t
    union all select 'key ' || t::text from ledger.idempotency_keys t
    union all select 'api key ' || t::text from ledger.api_keys t
    union all select 'epoch ' || t::text from ledger.feed_epochs t
  ) rows (row_text)
$$;

-- remember(), then what must write nothing, then unchanged('...').
create function tests.remember()
returns void
language sql
as $$
  select set_config('tests.state', tests.state(), true)
$$;

create function tests.unchanged(p_description text default 'nothing was written')
returns text
language sql
as $$
  select is(tests.state(), current_setting('tests.state'), p_description)
$$;

-- alice 500, bob 0, carol 0: USD, no less than 0. eva 300: EUR. world and world-eur: no minimum.
create function tests.open_accounts()
returns void
language plpgsql
as $$
begin
  perform ledger.create_account('world', 'USD', 'equity', null);
  perform ledger.create_account('world-eur', 'EUR', 'equity', null);
  perform ledger.create_account('alice', 'USD');
  perform ledger.create_account('bob', 'USD');
  perform ledger.create_account('carol', 'USD');
  perform ledger.create_account('eva', 'EUR');
  perform ledger.require_posted(ledger.post_payment('fund-alice', 'world', 'alice', 500, 'USD'));
  perform ledger.require_posted(ledger.post_payment('fund-eva', 'world-eur', 'eva', 300, 'EUR'));
end
$$;

-- A refusal, to the last byte of its body, and that it wrote nothing but, if rejected, its key.
create function tests.refuses(
  p_result ledger.payment_result,
  p_outcome text,
  p_body text,
  p_description text,
  p_replayed boolean default false
)
returns text
language sql
as $$
  select is(
    format(
      '%s %s replayed=%s payment=%s %s',
      (p_result).outcome, (p_result).code, (p_result).replayed, (p_result).payment_id,
      (p_result).body
    ),
    format(
      '%s %s replayed=%s payment= %s',
      p_outcome, p_body::jsonb ->> 'code', p_replayed, p_body
    ),
    p_description
  )
$$;

-- What a posted payment did, in short: "1 alice -100 USD 500>400 v2, 1 bob 100 USD 0>100 v1".
create function tests.effect(p_result ledger.payment_result)
returns text
language sql
as $$
  select case
    when (p_result).outcome <> 'posted' then (p_result).outcome || ' ' || (p_result).body
    else (
      select string_agg(
        format(
          '%s %s %s %s %s>%s v%s',
          e ->> 'posting_no', e ->> 'account', e ->> 'amount', e ->> 'currency',
          e ->> 'balance_before', e ->> 'balance_after', e ->> 'version'
        ),
        ', '
        order by no
      )
      from json_array_elements((p_result).body -> 'entries') with ordinality entries (e, no)
    )
  end
$$;

-- "alice 400 v2" of each account that has entries.
create function tests.balances(p_ledger_id int default 1)
returns text
language sql
as $$
  select string_agg(format('%s %s v%s', code, balance, version), ', ' order by code)
  from ledger.accounts
  where ledger_id = p_ledger_id
    and version > 0
$$;

-- That a statement raises a code of the catalogue: its SQLSTATE, message, hint and these values.
create function tests.raises(p_sql text, p_detail text, p_description text)
returns text
language plpgsql
as $$
declare
  v_state text;
  v_message text;
  v_detail text;
  v_hint text;
begin
  begin
    execute p_sql;
  exception
    when others then
      get stacked diagnostics
        v_state = returned_sqlstate, v_message = message_text,
        v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  end;
  return is(
    row(v_state, v_message, v_detail, v_hint)::text,
    (
      select row(sqlstate, message, p_detail, hint)::text
      from ledger.error_codes
      where code = p_detail::jsonb ->> 'code'
    ),
    p_description
  );
end
$$;
