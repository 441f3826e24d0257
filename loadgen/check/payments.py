"""O1 and O2, payment by payment: each was asked for, is what was asked for, and sums to zero."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from loadgen.check.canonical import PaymentRow, Row, claim_of_rows, of_rows
from loadgen.check.findings import Breach, Findings
from loadgen.check.index import Index, Move, Times
from loadgen.check.ledger import AccountRow, EntryRow, Ledger
from loadgen.check.merging import groups, runs, side_by_side

DIGEST = 16


class Names(NamedTuple):
    """What the ids of accounts stand for."""

    ours: dict[int, AccountRow]
    others: dict[int, tuple[str, str]]

    def of(self, account_id: int) -> tuple[str, str]:
        """Give code and currency."""
        ours = self.ours.get(account_id)
        if ours is not None:
            return ours.code, ours.currency
        return self.others.get(account_id, (f"account {account_id}", "?"))


async def check_payments(index: Index, ledger: Ledger, names: Names, findings: Findings) -> None:
    """Hold every payment that moves the run's accounts against what was asked and answered."""
    known = runs(index.times(), lambda times: times.payment)
    sums: Counter[str] = Counter()
    async for payment, times, parts in side_by_side(known, _with_entries(ledger)):
        row = next((part for part in parts if isinstance(part, PaymentRow)), None)
        entries = [part for part in parts if isinstance(part, EntryRow)]
        mine = [entry for entry in entries if entry.account_id in names.ours]
        asked = [time for time in times if time.known]
        if not mine and not asked:
            continue  # neither this run's accounts nor its keys
        for entry in entries:
            sums[names.of(entry.account_id)[1]] += entry.amount
        checking = _Payment(payment, asked, row, entries, names)
        for breach in checking.breaches(len(times)):
            findings.add(breach)
        if len(asked) == 1:
            for entry in mine:
                time = asked[0]
                index.add(
                    Move(
                        entry.account_id,
                        entry.version,
                        payment,
                        time.key,
                        time.invoked,
                        time.answered,
                        time.at,
                    )
                )
    for currency, total in sums.items():
        if total:
            findings.add(
                Breach("O2", "money_made", f"all entries together make {total} {currency}")
            )


async def _with_entries(
    ledger: Ledger,
) -> AsyncIterator[tuple[Any, list[PaymentRow | EntryRow]]]:
    """Give each payment's row, if it has one, with its entries, if it has any."""
    payments = groups(ledger.payments(), lambda row: row.payment)
    entries = groups(ledger.entries_by_payment(), lambda row: row.payment)
    one, other = await anext(payments, None), await anext(entries, None)
    while one is not None or other is not None:
        key = min(side[0] for side in (one, other) if side is not None)
        parts: list[PaymentRow | EntryRow] = []
        if one is not None and one[0] == key:
            parts += one[1]
            one = await anext(payments, None)
        if other is not None and other[0] == key:
            parts += other[1]
            other = await anext(entries, None)
        yield key, parts


class _Payment(NamedTuple):
    """One payment with everything that is known of it."""

    payment: str
    asked: list[Times]
    row: PaymentRow | None
    entries: list[EntryRow]
    names: Names

    def breaches(self, keys: int) -> list[Breach]:
        """Give what is wrong with it; `keys` is under how many keys the ledger has it."""
        found = []
        if keys == 0:
            found.append(self._breach("O1", "no_key", "it moves money under no key at all"))
        elif not self.asked:
            found.append(
                self._breach("O1", "never_asked", "the history has no request with its key")
            )
        if keys > 1:
            found.append(self._breach("O1", "two_keys", "it stands for more than one key"))
        if self.row is None:
            says = "there is a key or an entry of it, but not the payment itself"
            found.append(self._breach("O1", "lost", says))
            return found
        sums: Counter[str] = Counter()
        for entry in self.entries:
            sums[self.names.of(entry.account_id)[1]] += entry.amount
        if not self.entries or any(sums.values()):
            found.append(
                self._breach("O2", "unbalanced", f"its entries sum to {dict(sums) or 'nothing'}")
            )
        if len(self.asked) == 1:
            found += self._contents(self.asked[0], self.row)
        return found

    def _contents(self, times: Times, row: PaymentRow) -> list[Breach]:
        rows = [
            Row(
                entry.posting_no,
                *self.names.of(entry.account_id),
                entry.amount,
                entry.balance_after,
                entry.version,
            )
            for entry in self.entries
        ]
        found = []
        content = of_rows(row, rows)
        allowed = {times.contents[at : at + DIGEST] for at in range(0, len(times.contents), DIGEST)}
        if content not in allowed:
            found.append(self._breach("O1", "other_content", "it is not what was asked for"))
        if times.claim is not None and times.claim != claim_of_rows(row, rows):
            found.append(
                self._breach("O4", "answer_untrue", "the answer tells of it what is not so")
            )
        return found

    def _breach(self, oracle: str, rule: str, says: str) -> Breach:
        return Breach(
            oracle,
            rule,
            says,
            key=self.asked[0].key if self.asked else None,
            payment=self.payment,
            evidence={
                "payment": None if self.row is None else self.row._asdict(),
                "entries": [
                    entry._asdict() | {"account": self.names.of(entry.account_id)[0]}
                    for entry in self.entries
                ],
            },
        )
