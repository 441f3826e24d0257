-- The install id that cache_epoch tells is in settings since 0009. Here: what the relay signs its
-- messages with, and the lease that makes one process among many the relay.

-- 244 random bits: core PostgreSQL gives them only as UUIDs. Not ledger_private.settings' row alone
-- is secret: nobody but ledger_lookup, as which nobody logs in, may read that table.
alter table ledger_private.settings
  add column notification_secret bytea not null
    default sha256(convert_to(concat(gen_random_uuid(), gen_random_uuid()), 'UTF8'));

comment on column ledger_private.settings.notification_secret is
  'Signs the relay''s messages and hides their channel; see ledger.notification_secret.';

create table ledger_private.relay_lease (
  only_row boolean not null default true,
  term bigint not null default 0,
  holder text,
  generation text,
  taken_at timestamptz,
  expires_at timestamptz not null default '-infinity',
  constraint relay_lease_pkey primary key (only_row),
  constraint relay_lease_has_one_row check (only_row),
  constraint relay_lease_term_is_held
    check (term = 0 or num_nulls(holder, generation, taken_at) = 0)
)
-- Renewed about once a second, whatever old snapshots keep vacuum from removing: stay on a page.
with (fillfactor = 10);

comment on table ledger_private.relay_lease is
  'Who is the relay, until when, by this database''s clock. Each take-over has a higher term.';

insert into ledger_private.relay_lease default values;

-- Has one more argument from now on.
drop function if exists ledger_private.feed_page(
  int, pg_snapshot, uuid, uuid, pg_snapshot, pg_snapshot, xid8, uuid, int
);
