"""What the parts of the cache tell each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import msgspec

if TYPE_CHECKING:
    from service.ledger.balances import VersionedBalance

Layer: TypeAlias = Literal["l1", "l2", "db"]


class AccountKey(msgspec.Struct, frozen=True, gc=False):
    """An account, as clients name it."""

    ledger_id: int
    code: str


class CachedBalance(msgspec.Struct, frozen=True, gc=False):
    """An account at a version: nothing in it can change while the version stays.

    Amounts are decimal strings: 38 digits go in and come out as they are.
    """

    code: str
    currency: str
    version: int
    balance: str
    held: str


class Change(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """What a payment made of an account.

    `balance` None: unknown. `held` None beside a balance: this one entry left it as it was, so
    whoever has the version just below knows it. `currency` None: as the account's, which never
    changes.
    """

    code: str
    version: int
    currency: str | None
    balance: str | None
    held: str | None


class Served(msgspec.Struct, frozen=True, gc=False):
    """An answer to a reader; its token is `"<version>-<epoch>"`."""

    balance: CachedBalance
    layer: Layer
    age_seconds: float
    epoch: str


UNSHARED = "-"
"""How a generation begins in which nobody writes to L2: the relay has none."""


class Scope(NamedTuple):
    """The part of L2 that may be believed: what was written elsewhere is out of reach."""

    epoch: str
    generation: str

    @property
    def shared(self) -> bool:
        """Whether whoever leads writes what changes there."""
        return not self.generation.startswith(UNSHARED)


def without_epoch(balance: VersionedBalance) -> CachedBalance:
    """What is kept of a balance: the cache as a whole is of one epoch."""
    return CachedBalance(
        balance.code, balance.currency, balance.version, balance.balance, balance.held
    )


def advanced(known: CachedBalance, change: Change) -> CachedBalance | None:
    """`known` after a newer `change`; None: what it is then cannot be told from the two."""
    if change.balance is None:
        return None
    held = change.held
    if held is None:
        if change.version != known.version + 1:
            return None  # what lies between may have changed it
        held = known.held
    return CachedBalance(known.code, known.currency, change.version, change.balance, held)
