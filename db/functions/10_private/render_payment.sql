-- A posted answer, from values that never change once posted: the first call and every replay
-- give the same bytes. A change needs a new render_version, and this one kept.
create or replace function ledger_private.render_payment(
  p_payment_id uuid,
  p_kind text,
  p_description text,
  p_metadata jsonb,
  p_effective_at timestamptz,
  p_posted_at timestamptz,
  p_entries text
)
returns json
language sql
stable parallel safe
as $$
  select concat(
    '{"payment_id":"', p_payment_id,
    '","kind":"', p_kind,
    '","description":', coalesce(to_json(p_description), 'null'),
    ',"metadata":', p_metadata,
    ',"effective_at":"', ledger_private.utc_text(coalesce(p_effective_at, p_posted_at)),
    '","posted_at":"', ledger_private.utc_text(p_posted_at),
    '","entries":[', p_entries,
    ']}'
  )::json
$$;
