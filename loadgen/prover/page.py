"""The report: one HTML file that needs nothing else, no script and no network.

Charts are inline SVG, drawn here. Time runs along the x axis of all of them, and each fault is a
band across all of them; a band's title names it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from loadgen.prover.injector import SERVED, Injection
from loadgen.prover.prove import Proof
from loadgen.prover.table import rows, summary

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 190, 64, 12, 12, 26
MOST_TICKS = 10

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #6a737d; --line: #d0d7de;
  --paper: #ffffff; --good: #1a7f37; --bad: #cf222e; --band: #bf870026; --edge: #9a6700;
  --a: #0969da; --b: #8250df; --c: #bf8700; --d: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #8b949e; --line: #30363d;
  --paper: #0d1117; --good: #3fb950; --bad: #f85149; --band: #d2992233; --edge: #d29922;
  --a: #58a6ff; --b: #bc8cff; --c: #d29922; --d: #f85149; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1000px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 32px 0 6px; }
p { margin: 4px 0; } .dim { color: var(--dim); } pre { overflow-x: auto; font-size: 12px; }
.verdict { border-left: 6px solid; padding: 10px 16px; margin: 16px 0; font-weight: 600; }
.sound { border-color: var(--good); } .broken { border-color: var(--bad); }
.sound b { color: var(--good); } .broken b { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 8px; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
th { font-weight: 600; color: var(--dim); } .wrong { color: var(--bad); font-weight: 600; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--dim); font-size: 11px; }
.grid { stroke: var(--line); stroke-width: 1; } .band { fill: var(--band); }
.edge { stroke: var(--edge); stroke-width: 1; }
.series { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.key span { margin-right: 16px; white-space: nowrap; }
.key i { display: inline-block; width: 18px; height: 3px; vertical-align: middle;
  margin-right: 5px; }
"""


class Series(NamedTuple):
    """One line of a chart."""

    name: str
    colour: str
    values: Sequence[float]


def render(proof: Proof) -> str:
    """Give the page."""
    seconds = max(len(proof.timeline), int(proof.seconds), 1)

    def column(name: str) -> list[float]:
        return [row[name] for row in proof.timeline]

    latency = [
        Series("p50", "a", column("p50")),
        Series("p99", "b", column("p99")),
        Series("slowest", "d", column("max")),
    ]
    answers = ("posted", "replayed", "refused")
    achieved = [sum(row[name] for name in answers) for row in proof.timeline]
    throughput = [
        Series("operations offered", "a", column("offered")),
        Series("definite answers", "b", achieved),
        Series("operations dropped", "d", column("dropped")),
    ]
    outcomes = [
        Series("posted", "a", column("posted")),
        Series("replayed", "b", column("replayed")),
        Series("refused", "c", column("refused")),
        Series("unknown", "d", column("unknown")),
    ]
    parts = [
        _head(proof),
        _verdict(proof),
        _chart("Latency of definite answers, ms", latency, proof.injections, seconds, log=True),
        _chart("Throughput, a second", throughput, proof.injections, seconds),
        _chart("What attempts came to, a second", outcomes, proof.injections, seconds),
        _faults(proof),
        _percentiles(proof),
        _evidence(proof),
    ]
    return "\n".join([*parts, "</body></html>", ""])


def _head(proof: Proof) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>payledger prove, seed {proof.seed}</title><style>{STYLE}</style></head><body>"
        f"<h1>payledger prove, seed {proof.seed}</h1>"
        f'<p class="dim">{proof.seconds:g} s of load; {escape(proof.programs)}</p>'
    )


def _verdict(proof: Proof) -> str:
    kind = "sound" if proof.sound else "broken"
    word = "Sound" if proof.sound else "Not sound"
    told = summary(proof).partition(": ")[2].partition(": ")[2].partition(": ")[2]
    kept = "".join(
        f"<tr><td>{escape(rule)}</td><td>{count:,}</td></tr>"
        for rule, count in proof.verdict.breaches.items()
    )
    table = f"<table><tr><th>breach</th><th>times</th></tr>{kept}</table>" if kept else ""
    return f'<div class="verdict {kind}"><b>{word}.</b> {escape(told)}</div>{table}'


def _chart(
    title: str,
    series: Sequence[Series],
    injections: Sequence[Injection],
    seconds: int,
    *,
    log: bool = False,
) -> str:
    highest = max((value for one in series for value in one.values), default=1) or 1
    across = _across(seconds)
    up, marks = _log_scale(highest) if log else _scale(highest)
    bottom = HEIGHT - BOTTOM
    drawn = [
        f'<h2>{escape(title)}</h2><p class="key">{"".join(map(_key, series))}</p>',
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
    ]
    for injection in injections:
        start, end = across(injection.began), across(max(injection.ended, injection.began))
        drawn.append(
            f'<g><title>{escape(_named(injection))}</title><rect class="band" x="{start:.1f}"'
            f' y="{TOP}" width="{max(end - start, 1.5):.1f}" height="{bottom - TOP}"/>'
            f'<line class="edge" x1="{start:.1f}" x2="{start:.1f}" y1="{TOP}" y2="{TOP + 6}"/></g>'
        )
    for value in marks:
        y = up(value)
        drawn.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,g}</text>'
        )
    step = _nice(seconds / MOST_TICKS)
    for tick in range(0, seconds + 1, max(int(step), 1)):
        drawn.append(
            f'<text x="{across(tick):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{tick} s</text>'
        )
    for one in series:
        for line in _lines(one.values, gaps=log):
            points = " ".join(f"{across(at + 0.5):.1f},{up(value):.1f}" for at, value in line)
            drawn.append(
                f'<polyline class="series" style="stroke: var(--{one.colour})" points="{points}"/>'
            )
    drawn.append("</svg>")
    return "".join(drawn)


def _lines(values: Sequence[float], *, gaps: bool) -> Iterator[list[tuple[int, float]]]:
    """Give the points of a line; with gaps, one line for each stretch that has values."""
    line: list[tuple[int, float]] = []
    for second, value in enumerate(values):
        if gaps and value <= 0:
            if line:
                yield line
            line = []
        else:
            line.append((second, value))
    if line:
        yield line


def _key(series: Series) -> str:
    colour = f"background: var(--{series.colour})"
    return f'<span><i style="{colour}"></i>{escape(series.name)}</span>'


def _named(injection: Injection) -> str:
    return (
        f"{injection.fault} (number {injection.number}) at {injection.began:.1f} s:"
        f" {injection.in_flight} in flight, {injection.verdict}"
    )


def _across(seconds: int) -> Callable[[float], float]:
    return lambda second: LEFT + min(second, seconds) / seconds * (WIDTH - LEFT - RIGHT)


def _scale(highest: float) -> tuple[Callable[[float], float], list[float]]:
    step = _nice(highest / 4)
    top = step * math.ceil(highest / step)
    span = HEIGHT - BOTTOM - TOP
    marks = [step * number for number in range(round(top / step) + 1)]
    return lambda value: HEIGHT - BOTTOM - value / top * span, marks


def _log_scale(highest: float) -> tuple[Callable[[float], float], list[float]]:
    """From 1 ms on: outages of seconds and answers of milliseconds are both to be seen."""
    decades = max(math.ceil(math.log10(max(highest, 10))), 1)
    span = HEIGHT - BOTTOM - TOP

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - math.log10(max(value, 1)) / decades * span

    return up, [10.0**number for number in range(decades + 1)]


def _nice(value: float) -> float:
    """Give the next higher of 1, 2 and 5 times a power of ten."""
    power: float = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= value - 1e-12)


def _faults(proof: Proof) -> str:
    lines = []
    for row in rows(proof.injections):
        kind = "text" if row.verdict == SERVED else "text wrong"
        recovery = "-" if row.slowest is None else f"{row.slowest:.2f}"
        lines.append(
            f"<tr><td>{escape(row.fault)}</td><td>{row.injected}</td><td>{row.counted}</td>"
            f"<td>{row.least_in_flight}-{row.most_in_flight}</td><td>{recovery}</td>"
            f'<td>{row.p99_ms:,.0f}</td><td class="{kind}">{escape(row.verdict)}</td></tr>'
        )
    skipped = "".join(
        f'<p class="dim">Skipped: {escape(one.fault)} ({escape(one.row)}): {escape(one.why)}'
        f"{escape(f'; instead: {one.substitute}' if one.substitute else '')}</p>"
        for one in proof.skipped
    )
    return (
        '<h2>Faults</h2><p class="dim">An injection counts when requests were in flight.'
        " Recovery runs from its end to the answer to a payment sent then.</p>"
        "<table><tr><th>fault</th><th>injected</th><th>counted</th><th>in flight</th>"
        '<th>slowest recovery, s</th><th>worst p99, ms</th><th class="text">verdict</th></tr>'
        f"{''.join(lines)}</table>{skipped}"
    )


def _percentiles(proof: Proof) -> str:
    lines = "".join(
        f"<tr><td>{escape(kind)}</td><td>{row.count:,}</td>"
        + "".join(
            f"<td>{value:,.1f}</td>" for value in (row.p50, row.p90, row.p99, row.p99_9, row.max)
        )
        + "</tr>"
        for kind, row in proof.latencies_ms.items()
    )
    return (
        "<h2>Latency by operation, ms, from when it was due to its definite end</h2>"
        "<table><tr><th>operation</th><th>count</th><th>p50</th><th>p90</th><th>p99</th>"
        f"<th>p99.9</th><th>max</th></tr>{lines}</table>"
    )


def _evidence(proof: Proof) -> str:
    if not proof.verdict.evidence:
        return ""
    blocks = "".join(
        f"<h2>{escape(one['oracle'])} {escape(one['rule'])}</h2>"
        f"<pre>{escape(json.dumps(one, indent=2, ensure_ascii=False))}</pre>"
        for one in proof.verdict.evidence
    )
    return f"<h2>Evidence: the first breach of each kind</h2>{blocks}"
