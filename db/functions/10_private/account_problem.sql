-- Why a payment cannot be posted to its accounts as they are, as {"code", values}, in order of
-- precedence: a malformed code or currency, an unknown ledger or account, another currency, a row
-- locked elsewhere, a closed or frozen account. Asked only when one of these is so. Locks nothing.
create or replace function ledger_private.account_problem(
  p_ledger_id int,
  p_changes ledger_private.change[],
  p_accounts ledger_private.locked_account[]
)
returns jsonb
language sql
stable
as $$
  with changes as (
    select
      c.*,
      l.code is not null as locked,
      l.currency as account_currency,
      l.status
    from unnest(p_changes) with ordinality c (posting_no, code, currency, amount, held, no)
    left join unnest(p_accounts) l on l.code = c.code
  ),
  problems as (
    select
      no,
      case
        when not ledger_private.is_account_code(code) then 'account_code_malformed'
        when not ledger_private.is_currency_code(currency) then 'currency_malformed'
        when not exists (select from ledger.ledgers where ledger_id = p_ledger_id)
          then 'unknown_ledger'
        -- Not locked: unknown, or (when not waiting) locked by another transaction.
        when not locked and not exists (
          select from ledger.accounts a where a.ledger_id = p_ledger_id and a.code = c.code
        )
          then 'unknown_account'
        when not locked then 'account_busy'
        when account_currency <> currency then 'currency_mismatch'
        when status = 'closed' then 'account_closed'
        when status = 'frozen' then 'account_frozen'
      end as problem
    from changes c
  )
  select jsonb_strip_nulls(
    case e.code
      when 'unknown_ledger' then jsonb_build_object('code', e.code, 'ledger_id', p_ledger_id)
      else jsonb_build_object(
        'code', e.code,
        'posting_no', c.posting_no,
        'account', case when e.code <> 'currency_malformed' then left(c.code, 200) end,
        'currency',
          case
            when e.code in ('currency_malformed', 'currency_mismatch') then left(c.currency, 200)
          end,
        'account_currency',
          case when e.code = 'currency_mismatch' then c.account_currency end
      )
    end
  )
  from problems p
  join ledger.error_codes e on e.code = p.problem
  join changes c using (no)
  order by e.precedence, no
  limit 1
$$;
