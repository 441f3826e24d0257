"""Asks the ledger what it has, and gives that to the checker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from loadgen import checker, wire
from loadgen.checker import Breach, KeyFacts, Moved
from loadgen.history import Answer, Read
from loadgen.pacing import for_each
from loadgen.settle import Abandoned, Settler

KEPT_OF_A_RULE = 20
Document = TypeVar("Document")


class Findings:
    """Breaches, counted by rule; of each rule the first are kept whole."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.breaches: list[Breach] = []

    def add(self, breaches: Iterable[Breach]) -> None:
        """Take in what a check found."""
        for breach in breaches:
            self.counts[breach.rule] += 1
            if self.counts[breach.rule] <= KEPT_OF_A_RULE:
                self.breaches.append(breach)

    @property
    def sound(self) -> bool:
        """Say whether nothing was found."""
        return not self.counts


class AuditFailed(Exception):
    """The ledger could not be asked, so nothing can be said about it."""


class Audit:
    """Reads the ledger by its API, so many requests at a time, and collects what is wrong."""

    def __init__(self, settler: Settler, clients: int, findings: Findings) -> None:
        self._settler = settler
        self._clients = clients
        self._findings = findings

    async def accounts(self, prefix: str) -> dict[str, wire.Account]:
        """Read the accounts whose codes begin so, by code."""
        found: dict[str, wire.Account] = {}
        query: dict[str, str | int] = {"prefix": prefix, "limit": wire.MAX_PAGE}
        while True:
            page = await self._get("accounts", query, wire.decode_accounts)
            found.update((account.code, account) for account in page.accounts)
            if page.next_cursor is None:
                return found
            query["cursor"] = page.next_cursor

    async def entries(self, code: str) -> list[wire.EntryRow]:
        """Read all entries of an account, newest first."""
        rows: list[wire.EntryRow] = []
        query: dict[str, str | int] = {"limit": wire.MAX_PAGE}
        while True:
            page = await self._get(f"accounts/{code}/entries", query, wire.decode_entries)
            rows.extend(page.entries)
            if page.next_cursor is None:
                return rows
            query["cursor"] = page.next_cursor

    async def check_entries(
        self,
        accounts: Iterable[wire.Account],
        versions_before: Mapping[str, int],
        moved: Moved,
        reads: Iterable[Read],
        done: Callable[[], None],
    ) -> int:
        """Hold the entries of these accounts against what was acknowledged; count them."""
        served: dict[str, dict[int, set[str]]] = {}
        for read in reads:
            served.setdefault(read.account, {}).setdefault(read.version, set()).add(read.balance)
        count = 0

        async def check(account: wire.Account) -> None:
            nonlocal count
            rows = await self.entries(account.code)
            count += len(rows)
            self._findings.add(
                checker.check_entries(
                    account,
                    rows,
                    moved.get(account.code, {}),
                    served.get(account.code, {}),
                    versions_before.get(account.code, 0),
                )
            )
            done()

        await for_each(accounts, check, self._clients)
        return count

    async def check_look_ups(self, keys: Iterable[KeyFacts], done: Callable[[], None]) -> None:
        """Hold what the ledger has under each key against what was acknowledged."""

        async def check(facts: KeyFacts) -> None:
            found = await self._ask("payments", {"key": facts.key})
            self._findings.add(checker.check_lookup(facts, found))
            done()

        await for_each(keys, check, self._clients)

    async def _get(
        self, path: str, query: Mapping[str, str | int], decode: Callable[[bytes], Document]
    ) -> Document:
        answer = await self._ask(path, query)
        if answer.status != 200:
            text = answer.body.decode(errors="replace")
            raise AuditFailed(f"GET {path} was answered {answer.status}: {text}")
        try:
            return decode(answer.body)
        except msgspec.DecodeError as error:
            raise AuditFailed(f"GET {path} cannot be read: {error}") from error

    async def _ask(self, path: str, query: Mapping[str, str | int]) -> Answer:
        try:
            return await self._settler.read(path, query)
        except Abandoned:
            raise AuditFailed(f"GET {path} had no answer in the time allowed") from None
