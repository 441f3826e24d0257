"""The whole check: history in, verdict with evidence out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from loadgen.check.accounts import check_accounts
from loadgen.check.findings import Breach, Findings
from loadgen.check.index import Index
from loadgen.check.intake import Counts, Intake
from loadgen.check.keys import check_keys
from loadgen.check.ledger import Ledger, open_ledger
from loadgen.check.payments import Names, check_payments
from loadgen.check.sessions import check_sessions
from loadgen.journal.reader import begin_of, line_at

ORACLES = {
    "O1": "each key has at most one payment, the one that was acknowledged",
    "O2": "entries sum to zero per payment and currency",
    "O3": "every account is the sum of its entries, without a gap, never below its minimum",
    "O4": "all answers to one key are the same",
    "O5": "reads show the ledger at the version they name, never less than was seen",
    "O6": "what was acknowledged before the next was asked for comes before it",
    "O7": "after each fault the system serves again in time, and no lock stays",
}
SHOWN_LINES = 60


class Verdict(msgspec.Struct, kw_only=True):
    """What a check came to."""

    run: str
    seed: int
    sound: bool
    checked: Counts
    breaches: dict[str, int]
    """By oracle and rule."""
    evidence: list[dict[str, Any]]
    """The first breach of each rule, with the lines of the history and the rows of the ledger."""


async def check(history: Path, dsn: str, directory: Path | None = None) -> Verdict:
    """Hold a history against the ledger; `directory` is for the index, which may grow large."""
    findings, counts = Findings(), Counts()
    begin = begin_of(history)
    with tempfile.TemporaryDirectory(prefix="payledger-check-", dir=directory) as place:
        index = Index(Path(place) / "index.sqlite")
        try:
            async with open_ledger(dsn, begin.ledger) as ledger:
                accounts = await ledger.accounts(begin.prefix)
                ids = {account.code: account.account_id for account in accounts.values()}
                Intake(index, findings, counts, ids).take(history)
                names = Names(accounts, await ledger.other_accounts(begin.prefix))
                await check_keys(index, ledger, findings, counts)
                await check_payments(index, ledger, names, findings)
                await check_accounts(index, ledger, begin.prefix, accounts, findings, counts)
                await _check_locks(ledger, findings)
                check_sessions(index, findings)
            evidence = [_with_lines(breach, history, index) for breach in findings.first]
        finally:
            index.close()
    return Verdict(
        run=begin.run,
        seed=begin.seed,
        sound=findings.sound,
        checked=counts,
        breaches={
            f"{oracle} {rule}": count for (oracle, rule), count in sorted(findings.counts.items())
        },
        evidence=evidence,
    )


async def _check_locks(ledger: Ledger, findings: Findings) -> None:
    left = await ledger.locks_left()
    if left:
        findings.add(
            Breach("O7", "lock_left", "a transaction is still open", evidence={"left": left})
        )


def _with_lines(breach: Breach, history: Path, index: Index) -> dict[str, Any]:
    places = breach.lines
    if not places and breach.key is not None:
        places = tuple(index.lines_of(breach.key, SHOWN_LINES))
    words: dict[str, Any] = {
        "oracle": breach.oracle,
        "promise": ORACLES[breach.oracle],
        "rule": breach.rule,
        "says": breach.says,
    }
    for name in ("key", "account", "payment"):
        if (value := getattr(breach, name)) is not None:
            words[name] = value
    words |= {name: _plain(value) for name, value in breach.evidence.items()}
    if places:
        words["history"] = [line_at(history, place) for place in places[:SHOWN_LINES]]
    return words


def _plain(value: Any) -> Any:
    """Amounts beyond 2^53 are told as text."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return str(value)
    return value
