-- Transaction ids mean something only within one history of one cluster. A restore, a promotion
-- or a dump begins another; an operator says so with ledger.start_epoch.
create table ledger.feed_epochs (
  feed_epoch int not null generated always as identity,
  started_at timestamptz not null default clock_timestamp(),
  system_identifier bigint not null,
  timeline text not null,
  reason text not null,
  started_by text not null default session_user,
  constraint feed_epochs_pkey primary key (feed_epoch),
  constraint feed_epochs_reason_is_given check (reason <> '')
);

comment on table ledger.feed_epochs is
  'Append-only: the histories in which transaction ids were comparable. The last one counts.';

insert into ledger.feed_epochs (system_identifier, timeline, reason)
select
  s.system_identifier,
  substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
  'installed'
from pg_control_system() s;

create table ledger_private.settings (
  only_row boolean not null default true,
  install_id uuid not null default gen_random_uuid(),
  partition_width interval not null default '1 month',
  partitions_ahead int not null default 3,
  constraint settings_pkey primary key (only_row),
  constraint settings_has_one_row check (only_row),
  constraint settings_partition_width_is_known
    check (partition_width in ('1 day', '1 week', '1 month', '3 months', '1 year')),
  constraint settings_partitions_ahead_is_sane check (partitions_ahead between 1 and 60)
);

comment on table ledger_private.settings is 'What an operator chose, and the id of this install.';

insert into ledger_private.settings default values;
