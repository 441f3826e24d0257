-- payment_fingerprint of a payment of one posting without description, metadata and effective_at,
-- at a third of its cost: the same text, put together by hand. Codes and currencies that name an
-- account need no quotes in it.
create or replace function ledger_private.plain_fingerprint(
  p_from text,
  p_to text,
  p_amount numeric,
  p_currency text
)
returns bytea
language sql
stable parallel safe
as $$
  select sha256(
    convert_to(
      format(
        '(payment,"{""(1,%s,%s,-%s,0)"",""(1,%s,%2$s,%3$s,0)""}",,{},)',
        p_from, p_currency, p_amount, p_to
      ),
      'UTF8'
    )
  )
$$;
