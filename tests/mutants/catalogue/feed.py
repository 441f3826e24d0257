"""Of the change feed: which payments are new, and since when."""

from __future__ import annotations

from mutants.mutant import Mutant

_PAGE = "db/functions/10_private/feed_page.sql"
_SINCE = "db/functions/10_private/changes_since.sql"
_FEED = "tests/concurrency/test_feed.py::"
_CHANGES = "tests/concurrency/test_changes.py::"
_CRASH = "tests/concurrency/test_feed_crash.py::"
_EPOCHS = "tests/concurrency/test_feed_epochs.py::"

MUTANTS = (
    Mutant(
        name="cursors-keep-the-whole-snapshot",
        file="db/functions/10_private/feed_snapshot.sql",
        old="pg_snapshot_xmax(p_since), (p_last_xid::text::bigint + 1)::text::xid8",
        new="pg_snapshot_xmax(p_since), pg_snapshot_xmax(p_snapshot)",
        breach="ids that were rolled back are given out again after a crash, and missed",
        tests=(
            f"{_CRASH}test_ids_of_rolled_back_transactions_given_out_again_after_a_crash_are_read",
        ),
    ),
    Mutant(
        name="cursors-forget-who-was-running",
        file="db/functions/10_private/feed_snapshot.sql",
        old="    where xid < v_xmax\n",
        new="    where false\n",
        breach="a transaction that commits late is missed",
        tests=(f"{_FEED}test_a_transaction_that_commits_late_is_read_then_and_holds_up_nobody",),
    ),
    Mutant(
        name="who-was-running-is-not-looked-for",
        file=_PAGE,
        old="array(select pg_snapshot_xip(v_since))",
        new="'{}'",
        breach="a transaction that commits late is missed",
        tests=(f"{_FEED}test_a_transaction_that_commits_late_is_read_then_and_holds_up_nobody",),
    ),
    Mutant(
        name="a-windows-end-moves",
        file=_PAGE,
        old="          and pg_visible_in_snapshot(p.xid, p_upto)\n",
        new="",
        times=2,
        breach="what commits between two pages is read twice",
        tests=(f"{_FEED}test_what_commits_between_the_pages_of_a_window_belongs_to_the_next",),
    ),
    Mutant(
        name="a-full-page-has-more",
        file=_PAGE,
        old="cardinality(v_found.xids) > p_limit is true",
        new="cardinality(v_found.xids) >= p_limit is true",
        breach="the last page says that there is another",
        tests=(f"{_FEED}test_a_page_of_exactly_the_limit_is_the_last_one",),
    ),
    Mutant(
        name="pages-begin-with-the-last-payment",
        file=_PAGE,
        old="(p.xid, p.payment_id) > (v_new_xid, v_new_payment_id)",
        new="(p.xid, p.payment_id) >= (v_new_xid, v_new_payment_id)",
        breach="the last payment of a page is read again",
        tests=(f"{_FEED}test_pages_split_a_transaction_with_many_payments",),
    ),
    Mutant(
        name="ranges-overlap",
        file=_PAGE,
        old="""
          and not (
            p.payment_id between p_low and p_high and pg_visible_in_snapshot(p.xid, p_since)
          )""",
        new="",
        times=2,
        breach="a sweep reads again what polls have read",
        tests=("tests/concurrency/test_feed_times.py", "db/tests/10_private/feed_page.sql"),
    ),
    Mutant(
        name="nothing-is-swept",
        file="db/functions/10_private/is_sweep_due.sql",
        old="extract(epoch from clock_timestamp()) * 1000 - p_swept_at not between 0 and 500",
        new="p_swept_at = 0",
        breach="a payment whose id is of another hour is missed",
        tests=(
            "tests/concurrency/test_feed_times.py::"
            "test_a_payment_whose_id_is_of_another_time_is_found_within_a_moment",
        ),
    ),
    Mutant(
        name="old-snapshots-move-the-cursor",
        file="db/functions/10_private/feed_reaches.sql",
        old="  return not exists (",
        new="  return true or not exists (",
        breach="a reader with an older snapshot goes back, and reads twice",
        tests=(
            f"{_FEED}test_a_cursor_newer_than_the_callers_snapshot_comes_back_as_it_was",
            "db/tests/10_private/feed_reaches.sql",
        ),
    ),
    Mutant(
        name="writers-read-the-feed",
        file="db/functions/10_private/feed_epoch.sql",
        old="if pg_current_xact_id_if_assigned() is not null then",
        new="if false then",
        breach="a transaction that has written misses its own payments, for ever",
        tests=(f"{_FEED}test_a_transaction_that_has_written_cannot_read",),
    ),
    Mutant(
        name="another-history-is-read-on",
        file="db/functions/10_private/feed_epoch.sql",
        old="    is distinct from (v_now.system_identifier, v_timeline, v_now.given_to_payments)",
        new="    is null",
        breach="after a restore, payments are missed or read twice",
        tests=(f"{_EPOCHS}test_on_another_history_nothing_is_read_until_an_epoch_is_started",),
    ),
    Mutant(
        name="cursors-outlive-their-epoch",
        file="db/functions/10_private/feed_window.sql",
        old="if v_cursor.epoch <> v_epoch then",
        new="if false then",
        breach="a cursor of another history is read on",
        tests=(f"{_EPOCHS}test_a_new_epoch_ends_every_cursor_and_begins_empty",),
    ),
    Mutant(
        name="epochs-are-not-given-to-payments",
        file="db/functions/20_api/start_epoch.sql",
        old="set default %s', v_feed_epoch",
        new="set default %s', v_feed_epoch - 1",
        breach="what is posted after a restore is of the epoch before it",
        tests=(f"{_EPOCHS}test_a_new_epoch_ends_every_cursor_and_begins_empty",),
    ),
    Mutant(
        name="the-relay-forgets-who-was-running",
        file=_SINCE,
        old="array(select pg_snapshot_xip(p_cursor.since))",
        new="'{}'::xid8[]",
        breach="what a transaction made that commits late is never told",
        tests=(f"{_CHANGES}test_a_transaction_that_commits_late_is_told_then_and_holds_up_nobody",),
    ),
    Mutant(
        name="a-page-is-taken-for-the-window",
        file=_SINCE,
        old="      and v_new.payment_count <= p_limit\n",
        new="",
        breach="what has no room on a page is never told",
        tests=(f"{_CHANGES}test_more_than_a_page_is_told_in_pages",),
    ),
    Mutant(
        name="the-relay-outlives-its-epoch",
        file=_SINCE,
        old="""\
        and not exists (select from ledger.feed_epochs where feed_epoch > p_cursor.feed_epoch)
""",
        new="",
        breach="the relay goes on with what no payment belongs to any more",
        tests=(f"{_EPOCHS}test_a_new_epoch_ends_the_cursor_of_what_is_told_of_accounts",),
    ),
    Mutant(
        name="writers-are-told-of-changes",
        file=_SINCE,
        old="        and pg_current_xact_id_if_assigned() is null\n",
        new="",
        breach="a transaction that has written passes over its own payments, for ever",
        tests=(f"{_CHANGES}test_a_transaction_that_has_written_is_refused",),
    ),
    Mutant(
        name="what-is-set-on-accounts-waits-for-a-sweep",
        file=_SINCE,
        old="""\
        and not exists (
          select from ledger.account_changes where xid >= pg_snapshot_xmin(p_cursor.accounts)
        ) as is_simple
""",
        new="        as is_simple\n",
        breach="an account that was just created is not found, for another half second",
        tests=(f"{_CHANGES}test_a_new_account_and_new_limits_are_told_once",),
    ),
    Mutant(
        name="old-snapshots-move-the-relay",
        file=_SINCE,
        old="      and ledger_private.feed_reaches(v_snapshot, p_cursor.since)\n",
        new="",
        breach="a cursor of what is still to come is believed, and what it skips is never told",
        tests=(
            f"{_CHANGES}test_a_cursor_ahead_of_the_database_is_refused",
            f"{_CHANGES}test_a_reader_with_an_older_snapshot_gets_the_cursor_back_as_it_was",
        ),
    ),
)
