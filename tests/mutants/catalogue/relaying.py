"""Of the relay: its lease, what it tells, and what its listeners believe."""

from __future__ import annotations

from mutants.mutant import Mutant

_LEADER = "service/relay/leader.py"
_TRUST = "service/cache/trust.py"
_TAKE = "db/functions/20_api/take_relay_lease.sql"
_TELL = "db/functions/10_private/tell_listeners.sql"
_LEADER_TEST = "tests/unit/test_relay_leader.py"
_TRUST_TEST = "tests/unit/test_cache_trust.py"
_TELLING_TEST = "tests/relay/test_telling.py::"
_RACE = "tests/cache/test_races.py::test_nothing_wrong_is_served_when"

MUTANTS = (
    Mutant(
        name="a-lease-is-taken-from-its-holder",
        file=_TAKE,
        old="    and ledger_private.is_lease_running(v_lease.expires_at)\n",
        new="    and false\n",
        breach="two relays lead, and each unmakes what the other tells",
        tests=("db/tests/20_api/take_relay_lease.sql",),
    ),
    Mutant(
        name="a-new-leader-has-the-old-term",
        file=_TAKE,
        old="term = l.term + 1",
        new="term = l.term",
        breach="listeners cannot tell an old leader that wakes up from the new one",
        tests=("db/tests/20_api/take_relay_lease.sql",),
    ),
    Mutant(
        name="an-old-leader-goes-on-telling",
        file=_TELL,
        old="v_lease.term <> p_term or ",
        new="",
        breach="a relay that was stopped tells what it knew then",
        tests=("db/tests/10_private/tell_listeners.sql",),
    ),
    Mutant(
        name="a-lease-that-ran-out-is-enough",
        file=_TELL,
        old=" or not ledger_private.is_lease_running(v_lease.expires_at)",
        new="",
        breach="a relay that was stopped prolongs what another may have taken",
        tests=("db/tests/10_private/tell_listeners.sql",),
    ),
    Mutant(
        name="a-lease-is-not-prolonged",
        file=_TELL,
        old="expires_at = clock_timestamp() + ledger_private.lease_length()",
        new="expires_at = v_lease.expires_at",
        breach="a leader is deposed every two seconds, and every cache with it",
        tests=("db/tests/10_private/tell_listeners.sql",),
    ),
    Mutant(
        name="the-oldest-balance-is-told",
        file="db/functions/10_private/feed_balances.sql",
        old="order by e.ledger_id, e.account_id, e.version desc",
        new="order by e.ledger_id, e.account_id, e.version",
        breach="of a transaction's payments the last ones are never told",
        tests=("db/tests/10_private/feed_balances.sql",),
    ),
    Mutant(
        name="missed-writes-keep-the-generation",
        file=_LEADER,
        old="            self._generation = draw_generation(shared=True)\n",
        new="",
        breach="L2 goes on serving what it has missed the changes of",
        tests=(_LEADER_TEST,),
    ),
    Mutant(
        name="l2-is-believed-though-the-relay-has-none",
        file="service/cache/model.py",
        old="return not self.generation.startswith(UNSHARED)",
        new="return True",
        breach="L2 goes on serving what nobody brings up to date",
        tests=("tests/unit/test_cache_balances.py",),
    ),
    Mutant(
        name="every-page-is-a-heartbeat",
        file="db/functions/20_api/tell_changes.sql",
        old="case when not v_page.has_more then v_page.lsn end",
        new="v_page.lsn",
        breach="listeners believe to have heard what is still to be told",
        tests=(f"{_TELLING_TEST}test_only_the_last_page_of_a_window_is_a_heartbeat",),
    ),
    Mutant(
        name="every-message-is-a-heartbeat",
        file="db/functions/10_private/relay_messages.sql",
        old="case when place = cardinality(v_slices) then v_lsn else 'null' end",
        new="v_lsn",
        breach="listeners believe to have heard what is in the next message",
        tests=("db/tests/10_private/relay_messages.sql",),
    ),
    Mutant(
        name="messages-are-too-long",
        file="db/functions/10_private/relay_messages.sql",
        old="c_room constant int := 7300;",
        new="c_room constant int := 7950;",
        breach="NOTIFY refuses them, and the relay ends its term again and again",
        tests=("tests/relay/test_messages.py",),
    ),
    Mutant(
        name="l2-is-written-whenever",
        file=_LEADER,
        old="            await self._write(changes)\n",
        new="""\
            asyncio.get_running_loop().call_later(
                0.5, lambda changes=changes: asyncio.ensure_future(self._write(changes))
            )
""",
        breach="what was told before the last message is not yet in L2",
        tests=(_LEADER_TEST,),
    ),
    Mutant(
        name="l2-is-believed-though-it-may-lack-what-was-told",
        file="service/cache/balances.py",
        old="least = max(need.min_version, self._recent.least(key))",
        new="least = need.min_version",
        breach="who has heard of a change finds in L2 what was before it",
        tests=("tests/unit/test_cache_balances.py",),
    ),
    Mutant(
        name="the-relay-never-rests",
        file=_LEADER,
        old="rest = REST_SECONDS_A_PAYMENT * self._rate * self._takes if payments else 0.0",
        new="rest = 0.0",
        breach="where processors are scarce polls take them from payments",
        tests=(_LEADER_TEST,),
    ),
    Mutant(
        name="the-relay-rests-after-nothing",
        file=_LEADER,
        old=" if payments else 0.0",
        new="",
        breach="heartbeats are more than 250 ms apart",
        tests=(_LEADER_TEST,),
    ),
    Mutant(
        name="the-relay-rests-without-end",
        file=_LEADER,
        old="min(max(rest, POLL_SECONDS), LONGEST_REST_SECONDS)",
        new="max(rest, POLL_SECONDS)",
        breach="at high rates nobody hears a heartbeat in time",
        tests=(_LEADER_TEST,),
    ),
    Mutant(
        name="one-slow-poll-makes-the-next-one-late",
        file=_LEADER,
        old="weight = min(1.0, since / _LATELY_SECONDS)",
        new="weight = 1.0",
        breach="a change waits for a rest that no load asks for",
        tests=(_LEADER_TEST,),
    ),
    Mutant(
        name="a-poll-counts-its-last-page-only",
        file=_LEADER,
        old="found += page.payments",
        new="found = page.payments",
        breach="the more is posted, the less the relay rests",
        tests=(_LEADER_TEST,),
    ),
    Mutant(
        name="the-relays-pages-have-no-end",
        file="db/functions/10_private/changes_since.sql",
        old="p_limit between 1 and 5000",
        new="p_limit >= 1",
        breach="one call tells of whatever it is asked for, and ends its statement's time",
        tests=("tests/concurrency/test_changes.py::test_a_page_has_up_to_5000_payments",),
    ),
    Mutant(
        name="the-relays-pages-are-everybodys",
        file="db/functions/10_private/changes_in_window.sql",
        old="check_limit(p_limit, 5000)",
        new="check_limit(p_limit)",
        breach="the relay is refused its first page, and nobody leads",
        tests=("tests/concurrency/test_changes.py::test_a_page_has_up_to_5000_payments",),
    ),
    Mutant(
        name="what-was-not-told-is-passed-over",
        file=_LEADER,
        old="            if not page.leading:\n",
        new="            if False:\n",
        breach="who has lost the lease goes on, past what was not told",
        tests=(_LEADER_TEST,),
    ),
    Mutant(
        name="forged-messages-are-believed",
        file="service/cache/notices.py",
        old="if not hmac.compare_digest(digest, _digest(body, secret)):",
        new="if not digest:",
        breach="any login makes up balances",
        tests=("tests/unit/test_cache_notices.py",),
    ),
    Mutant(
        name="a-heartbeat-counts-from-its-arrival",
        file="service/cache/listener.py",
        old="age = max(0.0, self._clock.now() - notice.read_at)",
        new="age = 0.0",
        breach="a heartbeat that was kept back makes old balances new",
        tests=(f"{_TELLING_TEST}test_a_heartbeat_that_comes_late_or_again_proves_nothing",),
    ),
    Mutant(
        name="the-relays-lag-is-not-counted",
        file=_TRUST,
        old="now + LIVE_SECONDS - heartbeat.lag_seconds",
        new="now + LIVE_SECONDS",
        breach="a relay that is behind is believed for as long as one that is not",
        tests=(_TRUST_TEST,),
    ),
    Mutant(
        name="old-leaders-are-heard",
        file=_TRUST,
        old=" or term < self.term:",
        new=":",
        breach="an old leader that wakes up brings its generation back",
        tests=(_TRUST_TEST, f"{_RACE}[an_old_leader_wakes_up_late]"),
    ),
    Mutant(
        name="old-heartbeats-are-heard",
        file=_TRUST,
        old="or heartbeat.epoch != self.epoch or not ordered:",
        new="or heartbeat.epoch != self.epoch:",
        breach="a heartbeat that comes again prolongs the trust of then",
        tests=(_TRUST_TEST,),
    ),
    Mutant(
        name="a-new-term-drops-nothing",
        file=_TRUST,
        old="""\
        if heartbeat.term > self.term:
            self._suspect()
""",
        new="",
        breach="what falls between two leaders is heard by nobody",
        tests=(_TRUST_TEST, f"{_RACE}[a_payment_falls_between_two_leaders]"),
    ),
    Mutant(
        name="generations-come-back",
        file=_TRUST,
        old=" or generation in self._left:",
        new=":",
        breach="a late notice brings back an L2 that has missed everything since",
        tests=(_TRUST_TEST,),
    ),
    Mutant(
        name="a-gap-is-forgiven",
        file=_TRUST,
        old="if self.must_reconnect or now - self._heard_at >= LIVE_SECONDS:",
        new="if self.must_reconnect:",
        breach="a stopped process believes the past that its connection holds",
        tests=(
            _TRUST_TEST,
            f"{_RACE}[the_connection_of_a_stopped_process_holds_a_whole_past]",
        ),
    ),
    Mutant(
        name="trust-outlives-the-connection",
        file=_TRUST,
        old="        self._connected = False\n        self._suspect()\n",
        new="        self._connected = False\n",
        breach="who hears nothing any more goes on answering for a second",
        tests=(_TRUST_TEST,),
    ),
    Mutant(
        name="another-history-is-trusted",
        file=_TRUST,
        old="if epoch == self.epoch or not self.is_live():",
        new="if True:",
        breach="after a failover balances of two histories are mixed",
        tests=(_TRUST_TEST,),
    ),
    Mutant(
        name="epochs-outlive-a-restart",
        file="db/functions/20_api/cache_epoch.sql",
        old="              extract(epoch from pg_postmaster_start_time())\n",
        new="              ''\n",
        breach="what nobody heard while the server was away counts as known",
        tests=(
            "tests/relay/test_servers.py::"
            "test_after_a_restart_it_leads_again_and_the_epoch_is_another",
        ),
    ),
)
