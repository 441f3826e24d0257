"""Of the way from a request to PostgreSQL and back: poster, carrier, access."""

from __future__ import annotations

from mutants.mutant import Mutant

_CALLS = "service/ledger/poster/calls.py"
_PARCELS = "service/ledger/poster/parcels.py"
_POSTER = "service/ledger/poster/poster.py"
_LANES = "service/ledger/poster/lanes.py"
_ACCEPTING = "service/api/accepting.py"
_CARRIER = "service/ledger/carrier.py"
_KEYS = "service/ledger/keys_in_work.py"
_ACCEPTING_TEST = "tests/unit/test_api_accepting.py"
_POSTER_TEST = "tests/unit/test_poster.py"
_CARRIER_TEST = "tests/unit/test_api_carrier.py"
_HITS_TEST = "tests/unit/test_api_hits.py"
_TROUBLE_TEST = "tests/integration/test_http_trouble.py::"

MUTANTS = (
    Mutant(
        name="a-retry-has-a-key-of-its-own",
        file=_CALLS,
        old="[item.text for item in items]",
        new="""[
        item.text.replace(b'key":"', b'key":"again-') if item.doubtful else item.text
        for item in items
    ]""",
        breach="a payment whose answer was lost is posted again",
        tests=(
            f"{_TROUBLE_TEST}test_an_answer_lost_on_its_way_is_fetched_again_with_the_same_key",
        ),
    ),
    Mutant(
        name="no-halves-after-a-lost-connection",
        file=_CALLS,
        old="    if len(part.items) > 1:\n        return part.halves()\n    (item,) = part.items\n",
        new="    item = part.items[0]\n",
        breach="all payments of a call are refused with the one that crashes its backend",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="a-crash-is-repeated",
        file=_CALLS,
        old="_MOST_LOSSES = 2",
        new="_MOST_LOSSES = 1_000",
        breach="a payment that crashes its backend keeps all of PostgreSQL down",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="losses-leave-no-doubt",
        file=_CALLS,
        old="        item.doubtful = item.doubtful or failure.doubtful\n",
        new="        pass\n",
        breach="a payment that may be posted is told not to have been attempted",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="what-flies-was-not-attempted",
        file=_PARCELS,
        old="if self.doubtful or self.state is State.FLYING:",
        new="if self.doubtful:",
        breach="at its deadline a payment that may be posted is told not to have been attempted",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="what-waits-is-in-doubt",
        file=_PARCELS,
        old="if self.doubtful or self.state is State.FLYING:",
        new="if True:",
        breach="a payment that was never sent is told to be in doubt",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="a-refusal-after-a-loss-is-believed",
        file=_PARCELS,
        old='if self.doubtful and result.outcome in ("invalid", "busy"):',
        new="if False:",
        breach="what the lost attempt may yet post is told to be refused",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="a-call-begins-after-the-deadline",
        file=_CALLS,
        old="_give_up([item for item in here if item.parcel.deadline <= latest], cause)",
        new="_give_up([], cause)",
        breach="what can only be cut off is sent, and left in doubt",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="a-locked-account-is-not-probed",
        file=_CALLS,
        old="            return [busy._replace(wait=False)]\n",
        new="            return [busy]\n",
        breach="a stranger's lock holds up everybody",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="blocked-accounts-are-tried-in-every-call",
        file=_LANES,
        old="if lane is not None and lane.blocked:",
        new="if False:",
        breach="each call waits for the lock that the one before has found",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="lanes-forget-who-is-held",
        file=_LANES,
        old="        lane.items.extendleft(reversed(still))\n",
        new="",
        breach="who looked ahead in vain is never tried again",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="a-key-travels-twice-at-once",
        file=_POSTER,
        old="        if self._keys.enter_at_once(keys):\n            return set()\n",
        new="        if self._keys.enter_at_once(keys) or keys:\n            return set()\n",
        breach="duplicates hold up the calls that they travel with",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="a-key-is-free-before-its-call-has-ended",
        file=_PARCELS,
        old="            if item.state is State.FLYING:\n"
        "                self.note(item, refusal(item.code()))\n"
        "            elif",
        new="            if",
        breach="a retry overtakes the payment that is under way",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="keys-go-to-the-last-who-came",
        file=_KEYS,
        old="turn = queue.popleft()",
        new="turn = queue.pop()",
        breach="the first of several duplicates waits longest",
        tests=("tests/unit/test_api_waiting.py",),
    ),
    Mutant(
        name="one-client-fills-the-queue",
        file="service/ledger/poster/bounds.py",
        old="_SHARE = 2",
        new="_SHARE = 1",
        breach="there is no room left for other API keys",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="a-call-that-hangs-holds-up-its-ledger",
        file=_POSTER,
        old="            del self._flying[ledger_id]\n            self._work.set()\n",
        new="            self._work.set()\n",
        breach="one dead connection stops a ledger",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="a-dead-dispatcher-runs",
        file=_POSTER,
        old="return self._dispatcher is not None and not self._dispatcher.done()",
        new="return self._dispatcher is not None",
        breach="a process that posts nothing any more says that it is ready",
        tests=(_POSTER_TEST,),
    ),
    Mutant(
        name="a-cancelled-wait-for-a-standby-is-an-acknowledgement",
        file=_CARRIER,
        old="        if message.sqlstate == _COMMITTED_LOCALLY:\n",
        new="        if False:\n",
        breach="what the standby may not have is told to be durable",
        tests=(_CARRIER_TEST,),
    ),
    Mutant(
        name="lost-calls-leave-no-doubt",
        file=_CARRIER,
        old="doubtful=state not in _ROLLED_BACK, retry=self._hopes",
        new="doubtful=False, retry=self._hopes",
        breach="what may have been committed is told not to have been attempted",
        tests=(_CARRIER_TEST,),
    ),
    Mutant(
        name="deadlocks-leave-doubt",
        file=_CARRIER,
        old='frozenset({"40001", "40P01", LOCK_TIMEOUT})',
        new='frozenset({"40001", LOCK_TIMEOUT})',
        breach="what was rolled back is told to be in doubt",
        tests=(_CARRIER_TEST, _POSTER_TEST),
    ),
    Mutant(
        name="a-cut-off-call-keeps-its-connection",
        file=_CARRIER,
        old="except BaseException:\n            self._pool.abandon(connection)\n",
        new="except BaseException:\n",
        breach="the next call gets a connection that is still busy with the one before",
        tests=(_CARRIER_TEST,),
    ),
    Mutant(
        name="deadlocks-are-not-tried-again",
        file="service/database/connections.py",
        old='"40001", "40P01", "55P03"',
        new='"40001", "55P03"',
        breach="a deadlock becomes a 500",
        tests=(_CARRIER_TEST,),
    ),
    Mutant(
        name="hits-need-no-secret",
        file="service/api/access.py",
        old="or not hmac.compare_digest(credentials[1], key.secret_sha256)",
        new="or not key.secret_sha256",
        breach="who knows the id of a key reads what is in memory",
        tests=(_HITS_TEST, "tests/integration/test_http_access.py"),
    ),
    Mutant(
        name="hits-need-no-scope",
        file="service/api/access.py",
        old="            or scope not in key.scopes\n",
        new="",
        breach="a key that may not read reads what is in memory",
        tests=(_HITS_TEST,),
    ),
    Mutant(
        name="hits-of-any-ledger",
        file="service/api/access.py",
        old="(key.ledger_ids is not None and found.ledger_id not in key.ledger_ids)",
        new="False",
        breach="a key of one ledger reads another's balances from memory",
        tests=(_HITS_TEST,),
    ),
    Mutant(
        name="answers-overtake-others",
        file="service/api/connections.py",
        old=" and not self._left_to_aiohttp",
        new="",
        breach="an answer that is at hand is sent before that of an earlier request",
        tests=("tests/unit/test_api_connections.py",),
    ),
    Mutant(
        name="requests-overtake-payments",
        file="service/api/connections.py",
        old="        self._pause_reading_for_buffer()  # what comes meanwhile waits\n",
        new="",
        breach="what is asked after a payment is answered before it, as if it were its answer",
        tests=("tests/unit/test_api_connections.py",),
    ),
    Mutant(
        name="read-keys-post",
        file="service/api/plain_payments.py",
        old='recall(headers, target[1], "write")',
        new='recall(headers, target[1], "read")',
        breach="a key that may only read posts payments",
        tests=("tests/integration/test_http_access.py",),
    ),
    Mutant(
        name="keys-of-any-secret",
        file="service/api/access.py",
        old="if key is None or not hmac.compare_digest(digest, key.secret_sha256):",
        new="if key is None:",
        breach="who knows the id of a key posts",
        tests=("tests/integration/test_http_access.py",),
    ),
    Mutant(
        name="own-payments-are-heard-late",
        file=_POSTER,
        old="        self._echo.hear(owner.ledger_id, (result,))\n",
        new="",
        breach="who is answered finds the balance before his payment in memory",
        tests=(
            "tests/integration/test_http_reads.py::"
            "test_an_own_payment_is_in_memory_before_its_answer_is_sent",
        ),
    ),
    Mutant(
        name="a-parcel-keeps-its-payments",
        file=_PARCELS,
        old="            self.items = []  # they know us: no circle is to be left\n",
        new="",
        breach="every payment stays until the garbage collector stops everybody to find it",
        tests=("tests/integration/test_garbage.py",),
    ),
    Mutant(
        name="who-has-more-connections-takes-the-next",
        file=_ACCEPTING,
        old="            if self._has_more_than_others():\n",
        new="            if False:\n",
        breach="one process has nearly all connections, and refuses what all could have posted",
        tests=(_ACCEPTING_TEST,),
    ),
    Mutant(
        name="who-has-more-connections-takes-none",
        file=_ACCEPTING,
        old="        self._look()\n        self._accept_one()\n",
        new="        self._look()\n",
        breach="while a process hangs nobody can connect to the others",
        tests=(_ACCEPTING_TEST,),
    ),
    Mutant(
        name="abandoned-calls-leave-their-place",
        file="service/database/bounded.py",
        old="        if connection not in self._abandoned:\n            self._places.release()\n",
        new="        self._places.release()\n",
        breach="while a standby is away, the service takes every connection that the server has",
        tests=("tests/integration/test_abandoned_calls.py",),
    ),
    Mutant(
        name="abandoned-calls-are-not-looked-for",
        file="service/database/bounded.py",
        old="if pid not in at_work",
        new="if not at_work",
        breach="one call that hangs keeps the places of all that were given up with it",
        tests=("tests/integration/test_abandoned_calls.py",),
    ),
)
