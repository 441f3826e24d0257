"""What will be sent: a stream of operations that depends on the seed and on nothing else.

The run id only names the keys and accounts, so two runs of one seed do the same to different ones.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from loadgen import wire
from loadgen.accounts import CURRENCY, Accounts
from loadgen.history import Payment

BUSINESS = ("posted", "insufficient_funds")
"""An ordinary payment: which of the two depends on what else is going on."""
RIVALS = (*BUSINESS, "key_reused")
"""One of two contents that race for a key."""
MOST_AMOUNT = 1_000
MORE_THAN_THERE_IS = 10**30
OF_A_ROUND = 20
"""Accounts that are looked at one after the other."""
REMEMBERED = 10_000
"""Earlier payments that duplicates and conflicts are chosen from."""


class Kind(StrEnum):
    """What an operation is for; latencies are shown by it."""

    PAYMENT = "payment"
    HOT = "hot account"
    COMPOUND = "compound"
    DUPLICATE = "duplicate"
    RACE = "race"
    """Copies, or two rivals, under one key at once."""
    CONFLICT = "conflict"
    """An earlier payment, settled once more, then another body under its key."""
    TIMEOUT = "timeout"
    OVERDRAFT = "overdraft"
    LIMIT = "limit"
    INVALID = "invalid"
    BATCH = "batch"
    """All in one request."""
    READ = "read"
    ZIPF = "popular account"
    RING = "ring"
    """Payments of the same accounts in every order, at once."""
    HUNT = "overdraft hunt"
    """At once, of an account that cannot pay all of them."""
    STORM = "retry storm"
    """Copies at once, each given up or cancelled after its own impatience."""
    SESSION = "session"
    """Payments of one account, each followed by reads that must show it."""
    NEWCOMER = "newcomer"
    """An account is opened and paid, and read where nobody has read it yet."""
    ROUND = "round"
    """Somebody looks at one account after another."""
    IMPORT = "import"
    """One batch, and at the same time the same in another order."""
    STREAM = "stream"
    """A long list by lines, and a part of it once more: afterwards, or at the same time."""


class ImpossibleMix(Exception):
    """The shares cannot be met."""


class Mix(msgspec.Struct, frozen=True):
    """Shares of the operations; what they leave over are plain payments."""

    duplicates: float = 0.3
    races: float = 0.05
    conflicts: float = 0.02
    timeouts: float = 0.02
    overdrafts: float = 0.05
    compounds: float = 0.05
    batches: float = 0.01
    limits: float = 0.01
    invalid: float = 0.01
    reads: float = 0.05
    sessions: float = 0.12
    newcomers: float = 0.06
    rounds: float = 0.1
    hot: float = 0.2
    """Share of the payments that go to or come from the hot account, whatever their kind."""

    def __post_init__(self) -> None:
        shares = msgspec.structs.asdict(self)
        if any(not 0 <= share <= 1 for share in shares.values()):
            raise ImpossibleMix("every share must be between 0 and 1")
        if sum(shares.values()) - self.hot > 1 + 1e-9:
            raise ImpossibleMix("the shares add up to more than 1")


class Operation(msgspec.Struct, frozen=True):
    """One arrival: payments sent at once, or as its kind says, or a read."""

    kind: Kind
    payments: tuple[Payment, ...] = ()
    give_up: float | None = None
    """Seconds after which the first attempt is given up by the client."""
    account: str = ""
    """The account a read asks for."""
    accounts: tuple[str, ...] = ()
    """The accounts that are read one after the other."""
    impatience: tuple[float, ...] = ()
    """For each payment, seconds after which its first attempt is cancelled or given up."""
    at_once: bool = False
    """What repeats a part of it does not wait for the first to be done."""


class Schedule:
    """An endless iterator of operations."""

    def __init__(self, seed: int, accounts: Accounts, mix: Mix) -> None:
        self._random = random.Random(seed)
        self._prefix = f"{accounts.run_id}-{seed}-"
        self._accounts = accounts
        self._hot = mix.hot
        self._made = 0
        self._newcomers = 0
        self._rounds = itertools.cycle(accounts.ordinary)
        self._past: list[Payment] = []
        self._recent: deque[Payment] = deque(maxlen=50)
        self._edges = _edges(mix)

    def __iter__(self) -> Iterator[Operation]:
        return self

    def __next__(self) -> Operation:
        draw = self._random.random()
        kind = next((kind for edge, kind in self._edges if draw < edge), Kind.PAYMENT)
        match kind:
            case Kind.DUPLICATE if self._past:
                return Operation(kind, (self._duplicate(),))
            case Kind.CONFLICT if self._past:
                return Operation(kind, self._conflict())
            case Kind.RACE:
                return Operation(kind, self._race())
            case Kind.TIMEOUT:
                give_up = math.exp(self._random.uniform(math.log(0.0005), math.log(0.02)))
                return Operation(kind, (self._payment()[1],), give_up=give_up)
            case Kind.OVERDRAFT:
                return Operation(kind, (self._overdraft(),))
            case Kind.COMPOUND:
                return Operation(kind, (self._compound(),))
            case Kind.BATCH:
                return Operation(kind, self._batch())
            case Kind.LIMIT:
                return Operation(kind, (self._over_limit(),))
            case Kind.INVALID:
                return Operation(kind, (self._invalid(),))
            case Kind.READ:
                hot = self._random.random() < self._hot
                return Operation(kind, account=self._accounts.hot if hot else self._someone())
            case Kind.SESSION:
                return self._session()
            case Kind.NEWCOMER:
                return self._newcomer()
            case Kind.ROUND:
                return Operation(kind, accounts=tuple(itertools.islice(self._rounds, OF_A_ROUND)))
        hot, payment = self._payment()
        return Operation(Kind.HOT if hot else Kind.PAYMENT, (payment,))

    def _payment(self) -> tuple[bool, Payment]:
        hot, posting = self._posting()
        return hot, self._remember(self._new(posting | self._words(), BUSINESS))

    def _compound(self) -> Payment:
        postings = [self._posting()[1] for _ in range(self._random.randint(2, 5))]
        return self._remember(self._new({"postings": postings} | self._words(), BUSINESS))

    def _overdraft(self) -> Payment:
        _, posting = self._posting(hot=False)
        posting["amount"] = str(MORE_THAN_THERE_IS + self._random.randint(1, MOST_AMOUNT))
        return self._remember(self._new(posting, ("insufficient_funds",)))

    def _over_limit(self) -> Payment:
        posting = self._move(self._accounts.bank, self._accounts.full)
        return self._remember(self._new(posting, ("balance_limit_exceeded",)))

    def _invalid(self) -> Payment:
        _, posting = self._posting(hot=False)
        match self._random.randrange(4):
            case 0:
                return self._new(posting | {"amount": "0"}, ("amount_not_positive",))
            case 1:
                return self._new(posting | {"to": posting["from"]}, ("same_account",))
            case 2:
                nobody = posting["to"] + ":nobody"
                return self._new(posting | {"to": nobody}, ("unknown_account",))
        return self._new(posting | {"currency": "EUR"}, ("currency_mismatch",))

    def _duplicate(self) -> Payment:
        earlier = self._earlier()
        if self._random.random() < 0.1:
            return msgspec.structs.replace(earlier, quoted=True)
        return earlier

    def _conflict(self) -> tuple[Payment, Payment]:
        earlier = self._earlier()
        content = msgspec.json.decode(earlier.body)
        first = content["postings"][0] if "postings" in content else content
        match self._random.randrange(3):
            case 0:
                first["amount"] = str(int(first["amount"]) + 7)
            case 1:
                first["from"], first["to"] = first["to"], first["from"]
            case _:
                content["description"] = "the same key for something else"
        return earlier, Payment(earlier.key, wire.encode(content), ("key_reused",))

    def _race(self) -> tuple[Payment, ...]:
        copies = self._random.choice((2, 4, 8, 8, 16))
        _, posting = self._posting()
        if self._random.random() < 0.7:
            return (self._remember(self._new(posting, BUSINESS)),) * copies
        first, second = self._two_rivals(posting)
        return (first, second) * (copies // 2)

    def _two_rivals(self, posting: dict[str, Any]) -> tuple[Payment, Payment]:
        first = self._remember(self._new(posting, RIVALS))
        other = posting | {"amount": str(int(posting["amount"]) + 3)}
        return first, Payment(first.key, wire.encode(other), RIVALS)

    def _batch(self) -> tuple[Payment, ...]:
        payments = [self._payment()[1] for _ in range(self._random.randint(10, 50))]
        payments.append(self._overdraft())
        payments.append(self._invalid())
        if self._random.random() < 0.3:
            payments.append(self._earlier())
        if self._random.random() < 0.3:
            payments.append(payments[0])
        if self._random.random() < 0.3:
            payments.extend(self._two_rivals(self._posting()[1]))
        self._random.shuffle(payments)
        return tuple(payments)

    def _session(self) -> Operation:
        hot = self._random.random() < self._hot
        account, other = self._accounts.hot if hot else self._someone(), self._someone()
        while other == account:
            other = self._someone()
        sides = (account, other) if self._random.random() < 0.5 else (other, account)
        payment = self._remember(self._new(self._move(*sides), BUSINESS))
        return Operation(Kind.SESSION, (payment,), account=account)

    def _newcomer(self) -> Operation:
        self._newcomers += 1
        account = self._accounts.newcomer(self._newcomers)
        # Not remembered: a duplicate of it could come before the account is open.
        payment = self._new(self._move(self._accounts.bank, account), ("posted",))
        return Operation(Kind.NEWCOMER, (payment,), account=account)

    def _new(self, content: dict[str, Any], expects: tuple[str, ...]) -> Payment:
        self._made += 1
        return Payment(f"{self._prefix}{self._made}", wire.encode(content), expects)

    def _remember(self, payment: Payment) -> Payment:
        self._recent.append(payment)
        if len(self._past) < REMEMBERED:
            self._past.append(payment)
        else:
            self._past[self._made % REMEMBERED] = payment
        return payment

    def _earlier(self) -> Payment:
        """An earlier payment: as often one that may still be on its way as any other."""
        return self._random.choice(self._recent if self._random.random() < 0.5 else self._past)

    def _posting(self, hot: bool = True) -> tuple[bool, dict[str, Any]]:
        one, other = self._someone(), self._someone()
        while other == one:
            other = self._someone()
        hot = hot and self._random.random() < self._hot
        if hot:
            other = self._accounts.hot if self._random.random() < 0.7 else self._accounts.dry
            if self._random.random() < 0.5:
                one, other = other, one
        return hot, self._move(one, other)

    def _move(self, source: str, target: str) -> dict[str, Any]:
        amount = str(1 + int(self._random.random() * MOST_AMOUNT))
        return {"from": source, "to": target, "amount": amount, "currency": CURRENCY}

    def _words(self) -> dict[str, Any]:
        """Give one payment in five what a renderer could get wrong."""
        if self._random.random() < 0.8:
            return {}
        number = self._random.randrange(10**6)
        return {
            "description": f'Order № {number}: "coffee" \\ 茶 🫖',
            "metadata": {"order": number, "tags": ["a", "ä"], "nested": {"b": None, "a": True}},
            "effective_at": f"2026-01-{1 + number % 28:02}T12:34:56.{number:06}Z",
        }

    def _someone(self) -> str:
        codes = self._accounts.ordinary
        return codes[int(self._random.random() * len(codes))]


def _edges(mix: Mix) -> list[tuple[float, Kind]]:
    shares = (
        (mix.duplicates, Kind.DUPLICATE),
        (mix.races, Kind.RACE),
        (mix.conflicts, Kind.CONFLICT),
        (mix.timeouts, Kind.TIMEOUT),
        (mix.overdrafts, Kind.OVERDRAFT),
        (mix.compounds, Kind.COMPOUND),
        (mix.batches, Kind.BATCH),
        (mix.limits, Kind.LIMIT),
        (mix.invalid, Kind.INVALID),
        (mix.reads, Kind.READ),
        (mix.sessions, Kind.SESSION),
        (mix.newcomers, Kind.NEWCOMER),
        (mix.rounds, Kind.ROUND),
    )
    edges, total = [], 0.0
    for share, kind in shares:
        total += share
        edges.append((total, kind))
    return edges
