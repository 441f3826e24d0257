"""Whole runs against a payledger in memory: a right one is called sound, each wrong one is not."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from loadgen_fake import KEY, FakeLedger, serving
from rich.console import Console

from loadgen import report
from loadgen.accounts import SetupFailed
from loadgen.result import Result
from loadgen.run import Run, RunOptions
from loadgen.schedule import Mix
from loadgen.served import Least
from loadgen.target import Target

# An open run sends the same operations on any machine, however slow: rate times seconds.
MIX = Mix(invalid=0.05, conflicts=0.05, batches=0.01)


async def run(ledger: FakeLedger, **options: Any) -> Result:
    defaults: dict[str, Any] = {
        "seed": 1,
        "run_id": "r1",
        "rate": 1000.0,
        "clients": 16,
        "seconds": 0.2,
        "grace": 30.0,
        "accounts": 20,
        "mix": MIX,
    }
    async with serving(ledger) as url:
        console = Console(file=io.StringIO())
        return await Run(RunOptions(**(defaults | options)), Target(url, KEY), None, console)()


async def test_a_right_ledger_is_sound_under_every_behaviour() -> None:
    result = await run(FakeLedger())
    assert result.evidence == []
    assert result.verdict == "sound"
    checked = result.checked
    assert checked.payments > 100
    assert min(checked.replays, checked.refusals, checked.conflicts, checked.reads) > 0
    assert checked.accounts > 24  # some were opened while the load went on
    seen = result.seen
    assert seen.reads == checked.reads
    assert seen.l1 == seen.reads > seen.with_token > seen.elsewhere > 100
    assert checked.entries >= checked.payments * 2
    assert result.latencies_ms["all"].count == result.pace.started == 200
    assert result.outcomes["posted"] > 100


async def test_lost_answers_and_503s_are_retried_until_definite_and_sound() -> None:
    result = await run(FakeLedger(trouble=0.2))
    assert result.evidence == []
    assert result.verdict == "sound"
    assert result.outcomes["unknown: not_attempted"] > 0
    assert result.outcomes["unknown: ServerDisconnectedError"] > 0


async def test_a_closed_run_is_sound_too() -> None:
    result = await run(FakeLedger(), model="closed")
    assert result.verdict == "sound"
    assert result.pace.dropped == result.pace.late == 0
    assert result.latencies_ms["all"].count == result.pace.started > 0


@pytest.mark.parametrize(
    ("bug", "rule"),
    {
        "answers differ": "answers_differ",
        "breaks": "internal_error",
        "conflict posts": "two_contents_won",
        "conflict posts silently": "stray_entry",
        "doubles": "stray_entry",
        "forgets keys": "written_twice",
        "invalid posts": "refused_but_written",
        "loses": "lost",
        "other history": "other_history",
        "stale reads": "below_token",
        "lost updates": "written_twice",
        "never decides": "undecided",
        "overdraws": "below_minimum",
        "refusal posts": "stray_entry",
        "refusals differ": "answers_differ",
        "skims": "not_conserved",
        "unmarked": "written_twice",
        "wrong read": "wrong_read",
    }.items(),
)
async def test_a_wrong_ledger_is_found_out(bug: str, rule: str) -> None:
    result = await run(FakeLedger(bug), grace=1.0)
    assert result.verdict == "broken"
    assert result.breaches.get(rule, 0) > 0, result.breaches


async def test_a_breach_is_shown_with_every_attempt_under_its_key() -> None:
    result = await run(FakeLedger("answers differ"))
    shown = next(item for item in result.evidence if item["rule"] == "answers_differ")
    assert shown["one"]["body"] != shown["other"]["body"]
    assert len(shown["attempts"]) >= 2
    assert {attempt["answer"]["body"] for attempt in shown["attempts"]} >= {
        shown["one"]["body"],
        shown["other"]["body"],
    }
    console = Console(file=io.StringIO(), width=200)
    report.show(result, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown["key"] in printed
    assert "verdict: broken" in printed


async def test_a_run_that_saw_too_little_has_no_verdict() -> None:
    result = await run(FakeLedger(), least=Least(reads=100_000, l2=0.05))
    assert result.verdict == "unchecked"
    assert len(result.checked.lacking) == 2
    console = Console(file=io.StringIO(), width=200)
    report.show(result, console)
    assert "of 100,000 at least" in console.file.getvalue()  # type: ignore[attr-defined]


async def test_what_the_services_own_auditor_found_breaks_the_verdict() -> None:
    least = Least(audited=1)
    sound = await run(FakeLedger(), least=least)
    assert (sound.verdict, sound.seen.audited > 0) == ("sound", True)
    broken = await run(FakeLedger("audit finds one"), least=least)
    assert broken.breaches == {"audit_mismatch": 1}


async def test_the_same_run_again_posts_nothing_and_is_sound() -> None:
    ledger = FakeLedger()
    first = await run(ledger)
    payments = ledger.payments
    again = await run(ledger)
    assert (first.verdict, again.verdict) == ("sound", "sound")
    assert ledger.payments == payments
    assert "posted" not in again.outcomes
    assert again.checked.payments == first.checked.payments > 0


async def test_two_runs_share_a_ledger_without_touching_each_other() -> None:
    ledger = FakeLedger()
    first = await run(ledger, run_id="one")
    second = await run(ledger, run_id="two")
    assert (first.verdict, second.verdict) == ("sound", "sound")
    assert ledger.payments == first.checked.payments + second.checked.payments


async def test_a_ledger_that_refuses_the_accounts_ends_the_run_at_once() -> None:
    ledger = FakeLedger()
    async with serving(ledger) as url:
        options = RunOptions(seed=1, run_id="r1")
        with pytest.raises(SetupFailed) as raised:
            await Run(options, Target(url, "wrong"), None, Console(file=io.StringIO()))()
    assert "401" in str(raised.value)
    assert ledger.calls == 0


async def test_the_json_result_holds_the_figures_and_no_secret(tmp_path: Any) -> None:
    result = await run(FakeLedger())
    report.write(result, tmp_path / "result.json")
    text = (tmp_path / "result.json").read_text()
    written = json.loads(text)
    assert written["verdict"] == "sound"
    assert written["latencies_ms"]["all"]["p99_9"] >= written["latencies_ms"]["all"]["p50"] > 0
    assert written["options"]["mix"]["duplicates"] == 0.3
    assert KEY not in text
