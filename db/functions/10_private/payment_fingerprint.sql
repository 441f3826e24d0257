-- SHA-256 of what a payment says, as its idempotency key remembers it: what a retry must repeat.
-- A row's text form quotes its parts, so no two contents share one, and it depends on no setting.
-- Every part can be read back from the posted rows, so verify_ledger computes it anew.
create or replace function ledger_private.payment_fingerprint(
  p_kind text,
  p_changes ledger_private.change[],
  p_description text,
  p_metadata jsonb,
  p_effective_at timestamptz
)
returns bytea
language sql
stable parallel safe
as $$
  select sha256(
    convert_to(
      row(
        p_kind,
        p_changes,
        p_description,
        p_metadata,
        (extract(epoch from p_effective_at) * 1000000)::bigint
      )::text,
      'UTF8'
    )
  )
$$;
