"""Scenarios: what a run is made of, each aimed at a way in which payments are lost or doubled.

A scenario is a function from the maker of payments to one operation. Everything comes from the
seed: the same seed gives the same operations in the same order, under the same keys.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from loadgen import wire
from loadgen.accounts import CURRENCY, POOR, POOR_EVERY, Accounts
from loadgen.history import Payment
from loadgen.schedule import BUSINESS, RIVALS, Kind, Operation

REMEMBERED, RECENT = 10_000, 50
MOST_AMOUNT = 1_000
RACERS = 64
"""Simultaneous copies under one key, over all the URLs."""
STREAMED = (300, 900)
"""Lines of an import: several calls' worth."""
BRANCH = 40
"""Accounts of an import."""
AT_ONCE = 0.1
"""Share of the imports that two importers do at once."""


class Maker:
    """Makes payments under keys of its own and remembers them for those who repeat them."""

    def __init__(self, seed: int, accounts: Accounts) -> None:
        self.random = random.Random(seed)
        self.accounts = accounts
        self._prefix = f"{accounts.run_id}-{seed}-"
        self._made = 0
        self._past: list[Payment] = []
        self._recent: deque[Payment] = deque(maxlen=RECENT)
        # Who pays one by one would hold up every long list that wants the same accounts, and be
        # held up by it: then nothing but that would be seen. So lists have branches of their own,
        # without the poor, whose payments can't be posted by the set.
        self.people = accounts.ordinary[: (len(accounts.ordinary) + 1) // 2]
        others = [
            code
            for number, code in enumerate(accounts.ordinary)
            if number >= len(self.people) and number % POOR_EVERY
        ]
        self.branches = [others[at : at + BRANCH] for at in range(0, len(others) - 1, BRANCH)]
        ranks = itertools.accumulate(1 / rank for rank in range(1, len(self.people) + 1))
        self._zipf = list(ranks)

    def anyone(self) -> str:
        """Give one of the people's accounts, each as likely."""
        return self.random.choice(self.people)

    def someone_popular(self) -> str:
        """Give one of the people's, the k-th with a likelihood of 1/k (Zipf, exponent 1)."""
        draw = self.random.random() * self._zipf[-1]
        return self.people[bisect.bisect_left(self._zipf, draw)]

    def other_than(self, account: str, choose: Callable[[], str]) -> str:
        """Choose until it is another."""
        while (other := choose()) == account:
            pass
        return other

    def move(self, source: str, target: str, amount: int | None = None) -> dict[str, Any]:
        """Give a posting."""
        amount = self.random.randint(1, MOST_AMOUNT) if amount is None else amount
        return {"from": source, "to": target, "amount": str(amount), "currency": CURRENCY}

    def payment(self, content: dict[str, Any], expects: tuple[str, ...] = BUSINESS) -> Payment:
        """Give a payment under a new key."""
        self._made += 1
        payment = Payment(f"{self._prefix}{self._made}", wire.encode(content), expects)
        self._recent.append(payment)
        if len(self._past) < REMEMBERED:
            self._past.append(payment)
        else:
            self._past[self._made % REMEMBERED] = payment
        return payment

    def earlier(self) -> Payment | None:
        """Give an earlier payment, as often one on its way as any other."""
        if not self._past:
            return None
        return self.random.choice(self._recent if self.random.random() < 0.5 else self._past)

    def soon(self, least: float, most: float) -> float:
        """Give seconds between these, short ones as likely as long ones."""
        return math.exp(self.random.uniform(math.log(least), math.log(most)))


Scenario = Callable[[Maker], Operation]


def uniform(make: Maker) -> Operation:
    """A payment between any two accounts."""
    one = make.anyone()
    return Operation(
        Kind.PAYMENT, (make.payment(make.move(one, make.other_than(one, make.anyone))),)
    )


def zipf(make: Maker) -> Operation:
    """A payment between two accounts of which few are in most payments."""
    one = make.someone_popular()
    other = make.other_than(one, make.someone_popular)
    return Operation(Kind.ZIPF, (make.payment(make.move(one, other)),))


def merchant(make: Maker) -> Operation:
    """Everybody pays one account, which pays some of it back."""
    one, hot = make.anyone(), make.accounts.hot
    pays_back = make.random.random() < 0.2
    posting = make.move(hot, one) if pays_back else make.move(one, hot)
    return Operation(Kind.HOT, (make.payment(posting),))


def rings(make: Maker) -> Operation:
    """The same few accounts in every order at once: who locks as it is told, deadlocks."""
    members = make.random.sample(make.people, min(len(make.people), make.random.randint(3, 6)))
    payments = []
    for start in range(len(members)):
        ring = members[start:] + members[:start]
        if start % 2:
            ring.reverse()
        steps = [make.move(one, other) for one, other in itertools.pairwise(ring)]
        payments.append(make.payment({"postings": steps}))
    return Operation(Kind.RING, tuple(payments))


def hunters(make: Maker) -> Operation:
    """Many take at once what is there only once: one too many and the balance is below 0."""
    poor = make.random.choice(make.people[::POOR_EVERY])
    amount = make.random.choice((POOR, POOR // 2, POOR // 3))
    payments = [
        make.payment(make.move(poor, make.other_than(poor, make.anyone), amount))
        for _ in range(make.random.randint(3, 8))
    ]
    return Operation(Kind.HUNT, tuple(payments))


def storms(make: Maker) -> Operation:
    """Clients with no patience: copies that are given up and cancelled while they are served."""
    one = make.anyone()
    payment = make.payment(make.move(one, make.other_than(one, make.anyone)))
    copies = make.random.randint(3, 12)
    return Operation(
        Kind.STORM,
        (payment,) * copies,
        impatience=tuple(make.soon(0.0005, 0.05) for _ in range(copies)),
    )


def racers(make: Maker) -> Operation:
    """Very many copies under one key at the same moment, half the time with two contents."""
    one = make.anyone()
    posting = make.move(one, make.other_than(one, make.anyone))
    if make.random.random() < 0.5:
        return Operation(Kind.RACE, (make.payment(posting),) * RACERS)
    first = make.payment(posting, RIVALS)
    other = posting | {"amount": str(int(posting["amount"]) + 3)}
    return Operation(
        Kind.RACE, (first, Payment(first.key, wire.encode(other), RIVALS)) * (RACERS // 2)
    )


def conflicts(make: Maker) -> Operation:
    """Other content under a key that is taken."""
    earlier = make.earlier()
    if earlier is None:
        return uniform(make)
    content = msgspec.json.decode(earlier.body)
    content["description"] = "the same key for something else"
    return Operation(
        Kind.CONFLICT, (earlier, Payment(earlier.key, wire.encode(content), ("key_reused",)))
    )


def duplicates(make: Maker) -> Operation:
    """An earlier payment once more, soon or late."""
    earlier = make.earlier()
    if earlier is None:
        return uniform(make)
    if make.random.random() < 0.1:
        earlier = msgspec.structs.replace(earlier, quoted=True)
    return Operation(Kind.DUPLICATE, (earlier,))


def sessions(make: Maker) -> Operation:
    """A client pays, and reads what it paid, from whichever process answers."""
    one = make.someone_popular()
    payments = tuple(
        make.payment(make.move(one, make.other_than(one, make.anyone), 1))
        for _ in range(make.random.randint(1, 3))
    )
    return Operation(Kind.SESSION, payments, account=one)


def readers(make: Maker) -> Operation:
    """A read of no session."""
    return Operation(Kind.READ, account=make.someone_popular())


def importers(make: Maker) -> Operation:
    """Two importers with the same file: batches that hold the same payments, in other orders."""
    return Operation(Kind.IMPORT, several(make, make.random.randint(10, 40), make.anyone))


def streams(make: Maker) -> Operation:
    """A long file of lines, and an importer who begins again in its middle, or at the same time.

    A file is that of one branch: few accounts, each of them in many of its payments.
    """
    branch = make.random.choice(make.branches)
    payments = several(make, make.random.randint(*STREAMED), lambda: make.random.choice(branch))
    return Operation(Kind.STREAM, payments, at_once=make.random.random() < AT_ONCE)


def several(make: Maker, count: int, choose: Callable[[], str]) -> tuple[Payment, ...]:
    """Give payments between any two of the accounts that are chosen from."""
    payments = []
    for _ in range(count):
        one = choose()
        payments.append(make.payment(make.move(one, make.other_than(one, choose))))
    return tuple(payments)


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        uniform,
        zipf,
        merchant,
        rings,
        hunters,
        storms,
        racers,
        conflicts,
        duplicates,
        sessions,
        readers,
        importers,
        streams,
    )
}

# Shares of the operations. A race, a storm, an import and a stream are many requests each.
DEFAULT_WEIGHTS: Mapping[str, float] = {
    "uniform": 20,
    "zipf": 16,
    "merchant": 8,
    "rings": 2,
    "hunters": 2,
    "storms": 1,
    "racers": 0.2,
    "conflicts": 2,
    "duplicates": 35,
    "sessions": 5,
    "readers": 7,
    "importers": 0.5,
    "streams": 1,
}


class Scenarios:
    """An endless iterator of operations of several scenarios."""

    def __init__(
        self, seed: int, accounts: Accounts, weights: Mapping[str, float] = DEFAULT_WEIGHTS
    ) -> None:
        self._maker = Maker(seed, accounts)
        self._names = list(weights)
        self._edges = list(itertools.accumulate(weights.values()))

    def __iter__(self) -> Iterator[Operation]:
        return self

    def __next__(self) -> Operation:
        draw = self._maker.random.random() * self._edges[-1]
        return SCENARIOS[self._names[bisect.bisect_right(self._edges, draw)]](self._maker)
