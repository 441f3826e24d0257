-- The posting path: everything that moves or reserves money goes through here. Exactly once per
-- (ledger, key), all or nothing.
--
-- Order: lock the accounts; decide; claim the key; write. Locks come before the key, so a
-- duplicate waits for the first one's locks and then sees its key, never a balance that the first
-- one has already spent. A decision counts only with the key claimed in the same step: whoever
-- does not get the key answers what the key holds.
--
-- Outcomes are returned. Raises only what PostgreSQL raises: 40001 under REPEATABLE READ when an
-- account changed since the snapshot, 40P01, 55P03. Nothing is then stored: retry with the same
-- key.
create or replace function ledger_private.post_changes(
  p_ledger_id int,
  p_idem_key text,
  p_kind text,
  p_codes text[],  -- the accounts that the changes name
  p_changes ledger_private.change[],  -- well-formed: see posting_problem
  p_description text,
  p_metadata jsonb,
  p_effective_at timestamptz,
  p_wait boolean
)
returns ledger.payment_result
language plpgsql
volatile
as $$
declare
  v_fingerprint constant bytea := ledger_private.payment_fingerprint(
    p_kind, p_changes, p_description, p_metadata, p_effective_at
  );
  v_accounts ledger_private.locked_account[];
  v_decision ledger_private.decision;
  v_refusal ledger.payment_result;
  v_stored ledger.payment_result;
  v_payment_id uuid;
  v_posted_at timestamptz;
begin
  -- Durable means flushed: a caller's asynchronous commit does not apply to money.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;

  v_accounts := ledger_private.lock_accounts(p_ledger_id, p_codes, p_wait);

  v_decision := ledger_private.apply_changes(p_ledger_id, p_changes, v_accounts);
  if v_decision.problem is not null then
    v_refusal := ledger_private.refusal(v_decision.problem);
    if v_refusal.code in ('account_code_malformed', 'currency_malformed') then
      return v_refusal;
    end if;
    if v_refusal.outcome <> 'rejected' then
      -- Not stored; but a key that already has an outcome answers with it.
      v_stored := ledger_private.replayed_outcome(p_ledger_id, p_idem_key, v_fingerprint);
      return case when v_stored.outcome is null then v_refusal else v_stored end;
    end if;
  end if;

  v_payment_id := ledger_private.new_payment_id();
  v_posted_at := clock_timestamp();
  loop
    if v_decision.problem is null then
      if ledger_private.append_payment(
        p_ledger_id, p_idem_key, v_fingerprint, v_payment_id, v_posted_at, p_kind, p_description,
        p_metadata, p_effective_at, v_decision.entries, v_decision.accounts
      ) then
        return (
          'posted', null, false, v_payment_id,
          ledger_private.render_payment(
            v_payment_id, p_kind, p_description, p_metadata, p_effective_at, v_posted_at,
            v_decision.rendered
          )
        )::ledger.payment_result;
      end if;
    else
      insert into ledger.idempotency_keys
        (ledger_id, key, fingerprint, outcome, render_version, created_at)
      values
        (p_ledger_id, p_idem_key, v_fingerprint, v_decision.problem, 1, v_posted_at)
      on conflict do nothing;
      if found then
        return v_refusal;
      end if;
    end if;

    v_stored := ledger_private.replayed_outcome(p_ledger_id, p_idem_key, v_fingerprint);
    if v_stored.outcome is not null then
      return v_stored;
    end if;
    -- The key was there when we tried to claim it and is gone now: purged. It is free again.
  end loop;
end
$$;
