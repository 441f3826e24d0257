-- Which part of the ledger (null: of all ledgers) slice p_slice of p_slices is: payments from
-- from_id to before until_id, accounts from from_account to before until_account; null: no bound.
--
-- Slice 1 is the newest part, the last slice the oldest. The newest end of the books grows while
-- they are verified, and every boundary with it: slices that are read one after the other from 1
-- on then overlap a little, and leave nothing out.
create or replace function ledger_private.verify_slice(
  p_ledger_id int,
  p_slice int,
  p_slices int,
  out from_id uuid,
  out until_id uuid,
  out from_account bigint,
  out until_account bigint
)
language plpgsql
stable
as $$
declare
  v_oldest_id uuid;
  v_newest_id uuid;
  v_oldest timestamptz;
  v_newest timestamptz;
  v_accounts bigint;
begin
  if (p_slice between 1 and p_slices) is not true then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'slice_out_of_range', 'slice', p_slice, 'slices', p_slices)
    );
  end if;

  -- Of all ledgers at once: one without payments is looked for among all of them.
  select payment_id
  into v_oldest_id
  from ledger.payments
  where ledger_id = p_ledger_id or p_ledger_id is null
  order by payment_id
  limit 1;
  select payment_id
  into v_newest_id
  from ledger.payments
  where ledger_id = p_ledger_id or p_ledger_id is null
  order by payment_id desc
  limit 1;
  v_oldest := coalesce(ledger_private.payment_id_time(v_oldest_id), now());
  v_newest := coalesce(ledger_private.payment_id_time(v_newest_id), now());

  select coalesce(max(account_id), 0)
  into v_accounts
  from ledger.accounts;

  if p_slice < p_slices then
    from_id := ledger_private.payment_id_at(
      v_oldest + (v_newest - v_oldest) * ((p_slices - p_slice) / p_slices::float8)
    );
    from_account := 1 + v_accounts * (p_slices - p_slice) / p_slices;
  end if;
  if p_slice > 1 then
    until_id := ledger_private.payment_id_at(
      v_oldest + (v_newest - v_oldest) * ((p_slices - p_slice + 1) / p_slices::float8)
    );
    until_account := 1 + v_accounts * (p_slices - p_slice + 1) / p_slices;
  end if;
end
$$;
