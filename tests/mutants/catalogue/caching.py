"""Of the cache: both layers, flights, answers by key, and Lua."""

from __future__ import annotations

from mutants.mutant import Mutant

_WIRE = "service/cache/wire.py"
_BALANCES = "service/cache/balances.py"
_ANSWERS = "service/cache/answers.py"
_FLIGHTS = "service/cache/flights.py"
_GATHERING = "service/gathering.py"
_SERVER = "service/cache/l2_server.py"
_BALANCES_TEST = "tests/unit/test_cache_balances.py"
_FLIGHTS_TEST = "tests/unit/test_cache_flights.py"
_ANSWERS_TEST = "tests/unit/test_cache_answers.py"
_REDIS_TEST = "tests/cache/test_redis_trouble.py::"
_RACE = "tests/cache/test_races.py::test_nothing_wrong_is_served_when"

MUTANTS = (
    Mutant(
        name="l2-is-written-one-call-of-changes",
        file="service/cache/l2.py",
        old="in range(0, len(scripts), _SCRIPTS_A_CALL)",
        new="in range(0, min(len(scripts), _SCRIPTS_A_CALL), _SCRIPTS_A_CALL)",
        breach="of a poll that tells of many changes, L2 keeps what was before the last ones",
        tests=(f"{_REDIS_TEST}test_many_changes_are_written_by_many_scripts",),
    ),
    Mutant(
        name="part-of-what-is-written-to-l2-is-enough",
        file="service/cache/l2.py",
        old="""\
            if answer is None:
                return False
            self""",
        new="""\
            if answer is None:
                break
            self""",
        breach="L2 goes on serving what it has missed the changes of",
        tests=(f"{_REDIS_TEST}test_of_many_changes_none_may_be_missed",),
    ),
    Mutant(
        name="l2-takes-whatever-comes-last",
        file=_WIRE,
        old="return old > new or (old == new and #there > 19)",
        new="return false",
        breach="a write that comes late replaces a newer one",
        tests=(f"{_RACE}[a_write_to_l2_arrives_after_a_newer_one]",),
    ),
    Mutant(
        name="l2-compares-as-lua-counts",
        file=_WIRE,
        old="return old > new or (old == new",
        new="old, new = tonumber(old), tonumber(new)\n  return old > new or (old == new",
        breach="versions above 2^53 are taken for each other",
        tests=(f"{_REDIS_TEST}test_versions_beyond_what_lua_can_count_are_told_apart",),
    ),
    Mutant(
        name="l2-is-filled-without-the-lease",
        file=_WIRE,
        old="if redis.call('GET', lease) == token then",
        new="if true then",
        breach="a read from before a change, which was evicted, is kept",
        tests=(f"{_RACE}[an_entry_of_l2_is_evicted_in_mid_fill]",),
    ),
    Mutant(
        name="leases-outlive-a-change",
        file=_WIRE,
        old="redis.call('DEL', unpack(leases))\n",
        new="",
        breach="a read from before a change, which was evicted, is kept",
        tests=(f"{_RACE}[an_entry_of_l2_is_evicted_in_mid_fill]",),
    ),
    Mutant(
        name="l2-serves-any-version",
        file=_WIRE,
        old="#value > 19 and string.sub(value, 1, 19) >= ARGV[i + 2] then",
        new="#value > 19 then",
        breach="a read with a token finds less than the token in L2, and nobody fills it anew",
        tests=(
            f"{_REDIS_TEST}test_who_finds_too_old_a_version_gets_the_lease_and_nobody_else_does",
        ),
    ),
    Mutant(
        name="l2-keeps-values-for-ever",
        file=_WIRE,
        old="      redis.call('SET', at, value, 'PX', ARGV[1])",
        new="      redis.call('SET', at, value)",
        breach="what belongs to epochs long gone is never removed",
        tests=(f"{_REDIS_TEST}test_everything_that_is_written_has_a_time_to_live",),
    ),
    Mutant(
        name="l2-knows-no-epoch",
        file=_WIRE,
        old='f"payledger:{scope.epoch}:{run_id}:{scope.generation}:b:',
        new='f"payledger:{run_id}:{scope.generation}:b:',
        breach="two databases serve each other's balances",
        tests=(f"{_RACE}[two_databases_share_one_redis]",),
    ),
    Mutant(
        name="l2-knows-no-run",
        file=_WIRE,
        old='f"payledger:{scope.epoch}:{run_id}:{scope.generation}:b:',
        new='f"payledger:{scope.epoch}:{scope.generation}:b:',
        breach="what a restarted server loaded from its disk is served",
        tests=(f"{_RACE}[redis_is_restarted_with_old_data]",),
    ),
    Mutant(
        name="l2-knows-no-generation",
        file=_WIRE,
        old='f"payledger:{scope.epoch}:{run_id}:{scope.generation}:b:',
        new='f"payledger:{scope.epoch}:{run_id}:b:',
        breach="what has missed writes is served",
        tests=(f"{_RACE}[l2_misses_writes_for_a_while]",),
    ),
    Mutant(
        name="values-need-not-name-their-key",
        file=_WIRE,
        old="len(parts) != 5 or parts[1] != at or",
        new="len(parts) != 5 or",
        breach="a value under another account's key is served as its balance",
        tests=(f"{_RACE}[a_value_lies_under_the_key_of_another_account]",),
    ),
    Mutant(
        name="late-answers-stay-in-the-connection",
        file=_SERVER,
        old="            await connection.abandon()\n            raise\n        self._idle",
        new="            self._idle.append(connection)\n            raise\n        self._idle",
        breach="the answer to one question is taken for that to the next",
        tests=(f"{_REDIS_TEST}test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one",),
    ),
    Mutant(
        name="who-asks-together-gets-anothers-answer",
        file=_GATHERING,
        old="for (_, answer), found in zip(asked, answers, strict=True):",
        new="for (_, answer), found in zip(asked, reversed(answers), strict=True):",
        breach="each is told the balance of another's account",
        tests=("tests/unit/test_gathering.py",),
    ),
    Mutant(
        name="questions-join-a-call-under-way",
        file=_GATHERING,
        old="        if waiting is None:\n",
        new="        if waiting is None or not waiting:\n",
        breach="calls are as many as questions, and every read takes a connection of its own",
        tests=("tests/unit/test_gathering.py",),
    ),
    Mutant(
        name="no-resync",
        file=_BALANCES,
        old="        trust.on_live(self._l1.drop)\n",
        new="",
        breach="what changed while nobody was heard stays as it was",
        tests=(f"{_RACE}[the_listener_misses_a_payment]",),
    ),
    Mutant(
        name="no-eras",
        file=_BALANCES,
        old="return self._trust.is_live() and era == self._trust.era",
        new="return self._trust.is_live()",
        breach="what was read before a gap is kept after it",
        tests=(f"{_RACE}[a_read_lands_after_the_listener_missed_a_payment]",),
    ),
    Mutant(
        name="trust-is-not-looked-at",
        file=_BALANCES,
        old="            now >= trust.live_until\n            or age",
        new="            age",
        breach="a process that was stopped answers with what it knew then",
        tests=(f"{_RACE}[a_process_is_stopped_and_continued]",),
    ),
    Mutant(
        name="tokens-are-not-looked-at",
        file=_BALANCES,
        old="            or (min_version is not None and balance.version < min_version)\n",
        new="",
        breach="who has just paid is shown the balance before",
        tests=(_BALANCES_TEST,),
    ),
    Mutant(
        name="tokens-of-another-history",
        file=_BALANCES,
        old="            or (epoch is not None and epoch != trust.epoch)\n",
        new="",
        breach="a version of a lost history is taken for one of this",
        tests=(_BALANCES_TEST,),
    ),
    Mutant(
        name="what-was-heard-in-flight-is-forgotten",
        file=_BALANCES,
        old="balance = watch.settle(reading.balance)",
        new="balance: CachedBalance | None = reading.balance",
        breach="a read that a payment has overtaken is kept",
        tests=(f"{_RACE}[a_fill_is_overtaken_by_a_payment_of_this_process]",),
    ),
    Mutant(
        name="older-flights-serve-everybody",
        file=_FLIGHTS,
        old="flying.began > arrived and flying.need.covers(need)",
        new="flying.need.covers(need)",
        breach="a strong read is answered by one that began before it",
        tests=(_FLIGHTS_TEST, f"{_RACE}[a_strong_reader_joins_an_older_flight]"),
    ),
    Mutant(
        name="flights-serve-other-needs",
        file=_FLIGHTS,
        old="flying.began > arrived and flying.need.covers(need)",
        new="flying.began > arrived",
        breach="a strong read is answered from L2",
        tests=(_FLIGHTS_TEST,),
    ),
    Mutant(
        name="older-flights-serve-tokens",
        file=_BALANCES,
        old="return reading.balance.version >= min_version",
        new="return True",
        breach="a read with a token joins one that began before the payment",
        tests=(f"{_RACE}[a_reader_with_a_token_joins_an_older_flight]",),
    ),
    Mutant(
        name="a-reader-takes-the-flight-with-him",
        file=_FLIGHTS,
        old="return await asyncio.shield(flight.landing)",
        new="return await flight.landing",
        breach="one client that gives up fails the reads of all others",
        tests=(_FLIGHTS_TEST,),
    ),
    Mutant(
        name="l1-goes-back",
        file="service/cache/l1.py",
        old="if entry.balance.version <= balance.version:",
        new="if True:",
        breach="a read that lands late replaces a newer balance",
        tests=(_BALANCES_TEST,),
    ),
    Mutant(
        name="l1-hears-old-news",
        file="service/cache/l1.py",
        old="if entry is None or entry.balance.version >= change.version:",
        new="if entry is None:",
        breach="a notice that comes late replaces a newer balance",
        tests=(f"{_RACE}[notices_come_late_twice_and_out_of_order]",),
    ),
    Mutant(
        name="held-is-carried-over-gaps",
        file="service/cache/model.py",
        old="if change.version != known.version + 1:",
        new="if False:",
        breach="what is held is told as it was some payments ago",
        tests=(_BALANCES_TEST,),
    ),
    Mutant(
        name="a-replica-that-is-behind-answers",
        file=_BALANCES,
        old="found.lsn >= position and found.balance.version >= least",
        new="found.balance.version >= least",
        breach="a balance older than what was heard is kept, and no notice corrects it",
        tests=(_BALANCES_TEST,),
    ),
    Mutant(
        name="a-replica-need-not-have-what-was-heard",
        file=_BALANCES,
        old="found.lsn >= position and found.balance.version >= least",
        new="found.lsn >= position",
        breach="a balance older than what was heard is kept, and no notice corrects it",
        tests=(_BALANCES_TEST,),
    ),
    Mutant(
        name="replicas-fill-l2",
        file=_BALANCES,
        old="            and reading.primary\n",
        new="",
        breach="a replica's old word is kept where nothing would write the new one again",
        tests=(_BALANCES_TEST,),
    ),
    Mutant(
        name="a-promoted-replica-answers",
        file="service/ledger/balances.py",
        old='_REPLICA_BALANCE = f"{_BALANCE} where pg_is_in_recovery()"',
        new="_REPLICA_BALANCE = _BALANCE",
        breach="balances of a history of its own are served",
        tests=(
            "tests/cache/test_replica.py::"
            "test_one_that_is_promoted_while_it_is_asked_does_not_answer",
        ),
    ),
    Mutant(
        name="answers-outlive-trust",
        file=_ANSWERS,
        old="        trust.on_live(self._drop)\n",
        new="",
        breach="an answer of before a failover is repeated, and its payment may be lost",
        tests=(_ANSWERS_TEST,),
    ),
    Mutant(
        name="answers-to-other-content",
        file=_ANSWERS,
        old="            if kept.answer.fingerprint != fingerprint:\n                return None\n",
        new="",
        breach="another payment under the same key is answered as if it were posted",
        tests=(_ANSWERS_TEST,),
    ),
    Mutant(
        name="answers-of-replays-are-kept",
        file=_ANSWERS,
        old="if result.replayed or result.outcome not in _FINAL",
        new="if result.outcome not in _FINAL",
        breach="what was read, perhaps of a key that is purged meanwhile, is told for a minute",
        tests=(_ANSWERS_TEST,),
    ),
    Mutant(
        name="answers-that-may-change-are-kept",
        file=_ANSWERS,
        old="if result.replayed or result.outcome not in _FINAL or scope is None:",
        new="if result.replayed or scope is None:",
        breach="a payment that may be sent again is refused again, whatever has changed",
        tests=(_ANSWERS_TEST,),
    ),
    Mutant(
        name="answers-need-not-name-their-key",
        file=_ANSWERS,
        old="return answer if said == key else None",
        new="return answer",
        breach="the answer to another payment is given",
        tests=(_ANSWERS_TEST,),
    ),
)
