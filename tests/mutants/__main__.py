"""`make mutants`: breaks the code in one place after the other, and wants a test to notice each."""

from __future__ import annotations

import argparse
import random
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mutants import page, trial
from mutants.catalogue import MUTANTS
from mutants.records import Records
from mutants.tree import REPO, copied, digest
from mutants.trial import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mutants.mutant import Mutant
    from mutants.tree import Copy

RECORDS = REPO / ".cache" / "mutants.jsonl"

SOUND, ALIVE, NOT_DONE, INTERRUPTED = 0, 1, 2, 130
_COLOURS = {
    Outcome.KILLED: "green",
    Outcome.SURVIVED: "bold red",
    Outcome.UNNOTICED: "red",
    Outcome.UNTRIED: "yellow",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all were killed; 1: one was not; 2: the tests fail without any mutant."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    tree = digest()
    if options.fresh:
        RECORDS.unlink(missing_ok=True)
    records = Records(RECORDS, tree)
    mutants = chosen(options.only, options.sample, tree)
    if unknown := options.only - {mutant.name for mutant in mutants}:
        console.print(f"there is no mutant {', '.join(sorted(unknown))} to try")
        return NOT_DONE
    open_ones = [mutant for mutant in mutants if records.verdict(mutant) is None]
    try:
        if open_ones and not _try(open_ones, records, console, widen=not options.named):
            return NOT_DONE
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here")
        return INTERRUPTED
    _show(mutants, records, console)
    if any(_outcome(mutant, records) is not Outcome.KILLED for mutant in mutants):
        return ALIVE
    if not (options.only or options.sample):
        verdicts = {
            mutant.name: verdict for mutant in mutants if (verdict := records.verdict(mutant))
        }
        page.PAGE.write_text(page.render(MUTANTS, verdicts), encoding="utf-8")
        console.print(f"written: {page.PAGE.relative_to(REPO)}")
    return SOUND


def chosen(only: Iterable[str], sample: int | None, tree: str) -> list[Mutant]:
    """All but the equivalent ones; some by name; or a few, others for each state of the tree."""
    mutants = [mutant for mutant in MUTANTS if not mutant.equivalent]
    if only:
        return [mutant for mutant in mutants if mutant.name in only]
    if sample:
        return random.Random(tree).sample(mutants, min(sample, len(mutants)))
    return mutants


def _try(mutants: Sequence[Mutant], records: Records, console: Console, *, widen: bool) -> bool:
    """False: the tests fail without a mutant, so nothing could be told from their failing."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        copied() as copy,
        Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress,
    ):
        task = progress.add_task("without a mutant", total=len(mutants))
        if (problem := _control(mutants, records, copy)) is not None:
            progress.console.print(f"[bold red]fails without any mutant:[/] {escape(problem)}")
            return False
        for mutant in mutants:
            progress.update(task, description=mutant.name)
            verdict = trial.attempt(mutant, copy, widen=widen)
            records.add(mutant, verdict)
            progress.console.print(
                f"[{_COLOURS[verdict.outcome]}]{verdict.outcome.value:9}[/] {mutant.name}"
                f"  {verdict.seconds:.0f} s  {escape(verdict.by)}",
                soft_wrap=True,
            )
            progress.advance(task)
    return True


def _control(mutants: Sequence[Mutant], records: Records, copy: Copy) -> str | None:
    tests = records.unsound(test for mutant in mutants for test in mutant.tests)
    if not tests:
        return None
    problem = trial.control(tests, copy)
    if problem is None:
        records.add_sound(tests)
    return problem


def _outcome(mutant: Mutant, records: Records) -> Outcome:
    verdict = records.verdict(mutant)
    return Outcome.UNTRIED if verdict is None else verdict.outcome


def _show(mutants: Sequence[Mutant], records: Records, console: Console) -> None:
    table = Table(show_edge=False)
    for heading in ("mutant", "", "s", "by"):
        table.add_column(heading, overflow="fold")
    for mutant in mutants:
        verdict = records.verdict(mutant)
        if verdict is not None:
            colour = _COLOURS[verdict.outcome]
            table.add_row(
                mutant.name,
                f"[{colour}]{verdict.outcome.value}[/]",
                f"{verdict.seconds:.0f}",
                escape(verdict.by),
            )
    console.print(table)
    counts = {
        outcome: sum(_outcome(mutant, records) is outcome for mutant in mutants)
        for outcome in Outcome
    }
    seconds = sum(v.seconds for mutant in mutants if (v := records.verdict(mutant)) is not None)
    said = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count)
    console.print(f"{len(mutants)} mutants: {said}; {seconds / 60:.0f} minutes in all")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    add = parser.add_argument
    add("--fresh", action="store_true", help="forget what earlier runs found")
    add("--only", type=_names, default=frozenset(), help="names, by comma")
    add("--named", action="store_true", help="the named tests only: who survives is tried again")
    add("--sample", type=int, help="so many; others for each state of the tree")
    return parser


def _names(text: str) -> frozenset[str]:
    return frozenset(name for name in text.split(",") if name)


if __name__ == "__main__":
    sys.exit(main())
