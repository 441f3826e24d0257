-- One entry of a posted answer. Codes and currencies need no JSON escapes: their form has no
-- character that would. These bytes are replayed for ever: a change needs a new render_version.
create or replace function ledger_private.render_entry(p_entry ledger_private.entry)
returns text
language sql
stable parallel safe
as $$
  select concat(
    '{"posting_no":', p_entry.posting_no,
    ',"account":"', p_entry.code,
    '","currency":"', p_entry.currency,
    '","amount":"', p_entry.amount,
    '","balance_before":"', p_entry.balance_after - p_entry.amount,
    '","balance_after":"', p_entry.balance_after,
    '","version":', p_entry.version,
    '}'
  )
$$;
