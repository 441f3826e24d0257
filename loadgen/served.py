"""Judges the balances that were served. Pure functions: reads in, breaches and figures out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from loadgen.checker import Breach
from loadgen.headers import parts
from loadgen.history import Read

Value = tuple[int, int]
"""Balance and what is held of it."""
NOTHING: Value = (0, 0)
"""What an account of version 0 holds."""


# --- What a session was promised ------------------------------------------------------------------


def check_sessions(reads: Iterable[Read]) -> Iterator[Breach]:
    """No read is below its token or of another history, and no session goes back.

    `reads` come in the order in which they were answered, so each session's are in its own.
    """
    newest: dict[tuple[int, str], Read] = {}
    for read in reads:
        told = parts(read.token)
        if told is not None and told[0] != read.version:
            yield _breach(read, "wrong_token", f"version {read.version} came as {read.token}")
        asked = parts(read.asked)
        if asked is not None and (told is None or told[1] != asked[1]):
            yield _breach(read, "other_history", f"{read.asked} was answered by {read.token}")
        elif asked is not None and read.version < asked[0]:
            yield _breach(read, "below_token", f"version {read.version} for {read.asked}")
        if not read.session:
            continue
        before = newest.setdefault((read.session, read.account), read)
        if read.version < before.version:
            yield _breach(
                read,
                "went_back",
                f"version {read.version} was read after version {before.version}",
                before=before,
            )
        else:
            newest[read.session, read.account] = read


# --- What the ledger has at each version ----------------------------------------------------------


class Claims:
    """Every distinct value that was served, to be held against the entries in one pass."""

    def __init__(self, reads: Iterable[Read]) -> None:
        self._open: dict[str, dict[int, dict[Value, Read]]] = {}
        for read in reads:
            values = self._open.setdefault(read.account, {}).setdefault(read.version, {})
            values.setdefault((int(read.balance), int(read.held)), read)

    async def check(self, entries: AsyncIterator[tuple[str, int, Value]]) -> list[Breach]:
        """Hold them against every entry of these accounts: code, version, and what it left."""
        found: list[Breach] = []
        for account, versions in self._open.items():
            found += _unequal(account, versions.pop(0, {}), NOTHING)
        async for account, version, value in entries:
            found += _unequal(account, self._open.get(account, {}).pop(version, {}), value)
        for versions in self._open.values():
            for version, values in versions.items():
                says = f"version {version} was served, which the ledger does not have"
                found += [_breach(read, "served_unknown", says) for read in values.values()]
        return found


def _unequal(account: str, served: Mapping[Value, Read], value: Value) -> Iterator[Breach]:
    for other, read in served.items():
        if other != value:
            says = f"{other[0]}, held {other[1]}, was served as version {read.version} of {account}"
            says += f"; the ledger has {value[0]}, held {value[1]}"
            yield _breach(read, "served_unequal", says)


def _breach(read: Read, rule: str, says: str, **evidence: Any) -> Breach:
    return Breach(rule, says, account=read.account, evidence={"read": read} | evidence)


# --- How much was seen ----------------------------------------------------------------------------


class Seen(msgspec.Struct, kw_only=True):
    """How the reads were answered."""

    reads: int = 0
    l1: int = 0
    l2: int = 0
    db: int = 0
    with_token: int = 0
    elsewhere: int = 0
    """With the token of a payment, by another process than the one that acknowledged it."""
    workers: int = 0
    """Processes that answered."""
    audited: int = 0
    """Served balances that the service itself compared with the ledger."""


def count(reads: Iterable[Read]) -> Seen:
    """Count the reads by what they met."""
    seen, workers = Seen(), set()
    for read in reads:
        seen.reads += 1
        seen.l1 += read.layer == "l1"
        seen.l2 += read.layer == "l2"
        seen.db += read.layer == "db"
        seen.with_token += bool(read.asked)
        # An answer that does not say who it is from is nobody's.
        seen.elsewhere += bool(read.asked and read.writer and read.worker) and (
            read.worker != read.writer
        )
        workers.add(read.worker)
    seen.workers = len(workers - {""})
    return seen


class Least(msgspec.Struct, frozen=True, kw_only=True):
    """What must have been seen for a verdict about reads; a run that saw less says nothing."""

    reads: int = 0
    l1: float = 0.0
    """Share of the reads."""
    l2: float = 0.0
    elsewhere: int = 0
    audited: int = 0

    def lacking(self, seen: Seen) -> Iterator[str]:
        """Say what was not seen often enough."""
        for what, number, least in (
            ("reads", seen.reads, self.reads),
            (
                "reads with a token on another worker than the write's",
                seen.elsewhere,
                self.elsewhere,
            ),
            ("balances audited by the service", seen.audited, self.audited),
        ):
            if number < least:
                yield f"{number:,} {what}, of {least:,} at least"
        for layer, number, least_share in (("L1", seen.l1, self.l1), ("L2", seen.l2, self.l2)):
            share = number / seen.reads if seen.reads else 0.0
            if share < least_share:
                yield f"{share:.1%} of the reads from {layer}, of {least_share:.0%} at least"
