"""The table that a run prints."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from bench.goals import GOALS, Goal


def show(console: Console, values: Mapping[str, float], failures: Mapping[str, str]) -> None:
    """Name, value, goal and whether it was met, in the order of the goals."""
    table = Table()
    for heading in ("name", "value", "", "goal", ""):
        table.add_column(heading, justify="right" if heading in ("value", "goal") else "left")
    for name, goal in GOALS.items():
        if name in values:
            value = values[name]
            table.add_row(name, number(value), goal.unit, str(goal), _verdict(goal, value))
        elif name in failures:
            table.add_row(name, "-", goal.unit, str(goal), "[bold red]failed[/]")
    console.print(table)
    for why in dict.fromkeys(failures.values()):
        console.print(f"[bold red]failed:[/] {why}", highlight=False)


def number(value: float) -> str:
    """With as many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _verdict(goal: Goal, value: float) -> str:
    met = goal.met(value)
    if met is None:
        return ""
    return "[green]met[/]" if met else "[bold red]MISSED[/]"
