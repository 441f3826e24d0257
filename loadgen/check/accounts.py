"""O3, O5 and O6, account by account: the entries chain, reads show them, order is kept.

Three streams in the order of account and version, walked together; of an account no more is kept
than one entry, so the busiest one costs no memory either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from loadgen.check.findings import Breach, Findings
from loadgen.check.index import Index, Move, Read
from loadgen.check.intake import Counts
from loadgen.check.ledger import AccountRow, EntryRow, Ledger, Limit

STALE_MICROSECONDS = 2_000_000
"""What a read without a token may be behind an acknowledged payment."""

Item = TypeVar("Item", Move, Read)


async def check_accounts(
    index: Index,
    ledger: Ledger,
    prefix: str,
    accounts: dict[int, AccountRow],
    findings: Findings,
    counts: Counts,
) -> None:
    """Walk through every account of the run once."""
    limits = await ledger.limits(prefix)
    moves, reads = Stream(index.moves()), Stream(index.reads_by_account())
    left = sorted(accounts, reverse=True)
    walk: Walk | None = None

    def go_on(walk: Walk | None, account_id: int | None) -> Walk | None:
        """End this account and go on to another; those passed over have no entries."""
        while left and (account_id is None or left[-1] <= account_id):
            if walk is not None:
                walk.end()  # before the next begins: both read the same streams
            number = left.pop()
            walk = Walk(accounts[number], limits.get(number, []), moves, reads, findings, counts)
        return walk

    async for entry in ledger.entries_by_account(prefix):
        if walk is None or walk.account.account_id != entry.account_id:
            walk = go_on(walk, entry.account_id)
        assert walk is not None  # noqa: S101 - its account was among them
        walk.take(entry)
        counts.entries += 1
    walk = go_on(walk, None)
    if walk is not None:
        walk.end()
    counts.accounts = len(accounts)


class Stream(Generic[Item]):
    """Rows in order of account and version, taken up to a place."""

    def __init__(self, rows: Iterator[Item]) -> None:
        self._rows: Iterator[Item] = rows
        self._next: Item | None = next(rows, None)

    def up_to(self, account_id: int, version: int | None) -> Iterator[Item]:
        """Give the rows up to and with a version of an account; None: all of the account's."""
        while self._next is not None and (
            self._next.account_id < account_id
            or (
                self._next.account_id == account_id
                and (version is None or self._next.version <= version)
            )
        ):
            row, self._next = self._next, next(self._rows, None)
            yield row


class Walk:
    """One account, entry by entry in the order of versions."""

    def __init__(
        self,
        account: AccountRow,
        limits: list[Limit],
        moves: Stream[Move],
        reads: Stream[Read],
        findings: Findings,
        counts: Counts,
    ) -> None:
        self.account = account
        self._limits = limits
        self._moves = moves
        self._reads = reads
        self._findings = findings
        self._counts = counts
        self._version = 0
        self._balance = 0
        self._held = 0
        self._minimum: int | None = limits[0].min_balance if limits else None
        self._last_asked: Move | None = None
        """Of the payments so far, the one that was asked for last."""
        self._old: Read | None = None
        """Of the tokenless reads at this version, the last."""
        self._read(0)

    def take(self, entry: EntryRow) -> None:
        """Go on to the next entry."""
        self._chain(entry)
        self._limit(entry)
        self._version, self._balance = entry.version, entry.balance_after
        self._held = entry.held_after
        self._order(entry)
        self._old = None
        self._read(entry.version)

    def end(self) -> None:
        """The last entry makes the account what it is, and no read saw more."""
        account = self.account
        if (account.balance, account.version) != (self._balance, self._version):
            self._breach(
                "O3",
                "account_differs",
                f"the account says {account.balance} at version {account.version}; its entries"
                f" end at version {self._version} with {self._balance}",
            )
        for read in self._reads.up_to(account.account_id, None):
            self._wrong(read, "read_of_nothing", "there is no such version")

    def _chain(self, entry: EntryRow) -> None:
        if entry.version != self._version + 1:
            self._breach("O3", "versions", f"after version {self._version} comes", entry=entry)
        elif (
            entry.balance_after != self._balance + entry.amount
            or entry.held_after != self._held + entry.held
        ):
            self._breach(
                "O3",
                "chain",
                f"{self._balance} before, {self._held} of it held: this does not follow",
                entry=entry,
            )

    def _limit(self, entry: EntryRow) -> None:
        while self._limits and self._limits[0].from_version <= entry.version:
            self._minimum = self._limits.pop(0).min_balance
        if (
            entry.amount < entry.held
            and self._minimum is not None
            and entry.balance_after - entry.held_after < self._minimum
        ):
            self._breach("O3", "below_minimum", f"a debit went below {self._minimum}", entry=entry)

    def _order(self, entry: EntryRow) -> None:
        """O6. What stands before an entry was not asked for after its acknowledgement."""
        for move in self._moves.up_to(entry.account_id, entry.version):
            if move.account_id != entry.account_id:
                continue
            last = self._last_asked
            if last is not None and move.answered is not None and move.answered < last.invoked:
                self._breach(
                    "O6",
                    "order",
                    f"version {move.version} was acknowledged before version {last.version} was"
                    " asked for",
                    entry=entry,
                    lines=(move.invoked, move.answered, last.invoked),
                    earlier=move._asdict(),
                    later=last._asdict(),
                )
            if last is None or move.invoked > last.invoked:
                self._last_asked = move
            if (
                self._old is not None
                and move.at is not None
                and self._old.at > move.at + STALE_MICROSECONDS
            ):
                self._breach(
                    "O5",
                    "stale",
                    f"asked for {(self._old.at - move.at) / 1e6:.3f} s after version"
                    f" {move.version} was acknowledged, {self._old.version} was served",
                    read=self._old,
                    acknowledged=move._asdict(),
                )

    def _read(self, version: int) -> None:
        """O5. Every read shows the balance of the version that it names."""
        for read in self._reads.up_to(self.account.account_id, version):
            if read.account_id != self.account.account_id:
                continue
            if read.version != version:
                self._wrong(read, "read_of_nothing", "there is no such version")
                continue
            if int(read.balance) != self._balance:
                self._wrong(read, "wrong_read", f"the balance there is {self._balance}")
                continue
            if not read.token and (self._old is None or read.at > self._old.at):
                self._old = read

    def _wrong(self, read: Read, rule: str, says: str) -> None:
        """A window of loss may have been shown what is lost now; nobody else may."""
        if read.window:
            self._counts.lost_reads += 1
        else:
            self._breach("O5", rule, says, read=read)

    def _breach(
        self,
        oracle: str,
        rule: str,
        says: str,
        *,
        entry: EntryRow | None = None,
        read: Read | None = None,
        lines: tuple[int, ...] = (),
        **evidence: Any,
    ) -> None:
        if entry is not None:
            evidence["entry"] = entry._asdict()
        if read is not None:
            evidence["read"] = read._asdict()
            lines = (*lines, read.place)
        self._findings.add(
            Breach(
                oracle,
                rule,
                says,
                key=evidence.get("earlier", {}).get("key"),
                account=self.account.code,
                payment=None if entry is None else entry.payment,
                lines=lines,
                evidence=evidence,
            )
        )
