"""The bench's arithmetic, what it reads of other programs' output, and what it leaves."""

from __future__ import annotations

import io
import itertools
import json
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree

import pytest
from rich.console import Console

from bench import findings, report
from bench.__main__ import Run, main
from bench.catalogue import MEASUREMENTS, Measurement, chosen
from bench.findings import Findings
from bench.goals import GOALS, Goal
from bench.harness import BenchFailed, Rounds, percentile, take_turns
from bench.svg import Line, draw, round_up
from bench.tools import processors, wrk
from bench.tools.batches import make_batch, uuid7
from bench.tools.pgbench import SQL, Pgbench, read_tps
from bench.tools.processors import Stolen
from bench.tools.sampler import CONNECTIONS, sampling

if TYPE_CHECKING:
    from bench.tools.service import Service

PGBENCH = """\
pgbench (18.6)
transaction type: post_payment.sql
number of transactions actually processed: 21163
number of failed transactions: {failed} (0.000%)
latency average = 2.268 ms
initial connection time = 21.077 ms
tps = 7053.846118 (without initial connection time)
"""

WRK = """\
Running 3s test @ http://127.0.0.1:8080
  2 threads and 256 connections
  Non-2xx or 3xx responses: 40
bench {"requests": 1000, "refused": 40, "lost": 0, "seconds": 2.0, "p50_ms": 5.5, "p99_ms": 61.0}
"""


# -- rounds --------------------------------------------------------------------------------------


def test_a_ratio_is_the_median_of_the_ratios_within_rounds() -> None:
    # The machine became ten times slower in the last round: that says nothing about either.
    rounds = Rounds({"ours": (50.0, 60.0, 7.0), "theirs": (100.0, 100.0, 10.0)})
    assert rounds.ratio("ours", "theirs") == 0.6
    assert rounds.median("ours") == 50.0


def test_contenders_take_turns_and_every_other_round_goes_backwards() -> None:
    seen: list[tuple[str, float]] = []

    def contender(name: str) -> Callable[[float], float]:
        def work(seconds: float) -> float:
            seen.append((name, seconds))
            return float(len(seen))

        return work

    rounds = take_turns({"a": contender("a"), "b": contender("b")}, rounds=2, seconds=6)

    assert seen == [("a", 2), ("b", 2), ("a", 6), ("b", 6), ("b", 6), ("a", 6)]
    assert rounds.figures == {"a": (3.0, 6.0), "b": (4.0, 5.0)}


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_a_percentile_is_one_of_the_samples(percent: float, value: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], percent) == value


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(BenchFailed):
        percentile([], 99)


# -- samples -------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    def handle_error(self, *where: Any) -> None:
        """The sampler leaves when a sample failed, whoever is just being answered."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*where)


class Paying:
    """As much of a service as the sampler asks for. It answers with the statuses in turn."""

    key = "a key"
    url = ""

    def __init__(self, *statuses: int) -> None:
        self.statuses = itertools.cycle(statuses)
        self.requests: list[tuple[str, str]] = []  # path and idempotency key

    def path(self, of: str) -> str:
        return f"/v1/ledgers/bench/{of}"

    @contextmanager
    def serving(self) -> Iterator[Service]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                service.requests.append((self.path, self.headers["Idempotency-Key"]))
                self.send_response(next(service.statuses))
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        with Server(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield cast("Service", self)
            finally:
                server.shutdown()
                thread.join()


def test_what_is_accepted_is_timed_apart_from_what_is_refused() -> None:
    paying = Paying(201, 201, 429)
    with paying.serving() as service, sampling(service) as samples:
        deadline = time.monotonic() + 30
        while len(samples.refused) < CONNECTIONS and time.monotonic() < deadline:
            time.sleep(0.01)
    told = samples.summary()
    assert told["accepted_samples"] == len(samples.accepted)
    assert told["refused_samples"] == len(samples.refused) == len(paying.requests) // 3
    assert told["accepted_samples"] + told["refused_samples"] == len(paying.requests)
    assert told["accepted_p50_ms"] == percentile(samples.accepted, 50)
    assert told["refused_p99_ms"] == percentile(samples.refused, 99)
    assert {path for path, _ in paying.requests} == {"/v1/ledgers/bench/payments"}
    assert len({key for _, key in paying.requests}) == len(paying.requests)


def test_a_sample_that_is_neither_accepted_nor_refused_fails_the_measurement() -> None:
    paying = Paying(500)

    def sample() -> None:
        with paying.serving() as service, sampling(service):
            deadline = time.monotonic() + 30
            while not paying.requests and time.monotonic() < deadline:
                time.sleep(0.01)

    with pytest.raises(BenchFailed, match=r"answered by 500$"):
        sample()


# -- other programs' output ----------------------------------------------------------------------


def test_pgbench_tells_transactions_a_second() -> None:
    assert read_tps(PGBENCH.format(failed=0)) == 7053.846118


@pytest.mark.parametrize("output", [PGBENCH.format(failed=3), "", "tps = 1.0 (including them)"])
def test_a_pgbench_run_that_failed_gives_no_figure(output: str) -> None:
    with pytest.raises(BenchFailed):
        read_tps(output)


def test_refused_requests_are_not_accepted_ones() -> None:
    load = wrk.read_load(WRK)
    assert load.accepted_per_s == 480
    with pytest.raises(BenchFailed):
        load.sound()


@pytest.mark.parametrize(("refused", "lost", "requests"), [(1, 0, 10), (0, 1, 10), (0, 0, 0)])
def test_a_load_is_sound_only_if_all_of_it_was_answered(
    refused: int, lost: int, requests: int
) -> None:
    with pytest.raises(BenchFailed):
        wrk.Load(requests, refused, lost, 1.0, 1.0, 1.0).sound()


def test_a_sound_load_is_given_back() -> None:
    load = wrk.Load(10, 0, 0, 1.0, 1.0, 1.0)
    assert load.sound() is load


def test_wrk_without_our_line_gives_no_figure() -> None:
    with pytest.raises(BenchFailed):
        wrk.read_load("Running 3s test\nRequests/sec: 1000\n")


def test_without_wrk_it_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchFailed, match="apt install wrk"):
        wrk.find_wrk()


def test_the_line_that_lua_prints_has_every_field() -> None:
    text = (wrk.LUA / "common.lua").read_text()
    (line,) = re.findall(r"'bench (\{.*\})'", text)
    assert list(json.loads(re.sub(r"%[.\d]*[df]", "0", line))) == list(wrk.Load.__annotations__)


# -- batches -------------------------------------------------------------------------------------


def test_a_key_is_a_uuid_of_version_7_that_grows_with_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = []
    for nanoseconds in (1_700_000_000_000_000_000, 1_700_000_000_001_000_000):
        monkeypatch.setattr("time.time_ns", lambda now=nanoseconds: now)
        keys.append(uuid.UUID(uuid7()))
    assert [(key.version, key.variant) for key in keys] == [(7, uuid.RFC_4122)] * 2
    assert keys[0] < keys[1]


def test_no_payment_of_a_batch_is_from_an_account_to_itself() -> None:
    for hot_percent in (0, 50, 100):
        batch = make_batch(500, hot_percent=hot_percent, accounts=3)
        assert all(a != b for a, b in zip(batch.sources, batch.targets, strict=True))
        assert len(set(batch.keys)) == 500
    assert set(batch.targets) == {0}
    item = json.loads(batch.document())[7]
    assert item["idempotency_key"] == batch.keys[7]
    assert (item["from"], item["to"]) == (f"bench:{batch.sources[7]}", "bench:0")


# -- plots ---------------------------------------------------------------------------------------


def test_a_plot_is_xml_with_every_point_inside_its_frame() -> None:
    lines = [Line("uniform & even", ((1, 900.0), (1000, 24_000.0))), Line("hot", ((1, 300.0),))]
    root = ElementTree.fromstring(draw("Batches", "payments a call", "payments/s", lines))

    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    dots = list(root.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(dots) == 3
    assert all(0 < float(dot.attrib["cx"]) < width for dot in dots)
    assert all(0 < float(dot.attrib["cy"]) < height for dot in dots)
    one, thousand, hot = (float(dot.attrib["cy"]) for dot in dots)
    assert thousand < one < hot  # more is higher up
    assert "uniform & even" in {node.text for node in root.iter("{http://www.w3.org/2000/svg}text")}


@pytest.mark.parametrize(
    ("highest", "top"), [(9, 10), (10, 10), (11, 20), (24_000, 50_000), (0.3, 0.5), (0, 1)]
)
def test_an_axis_ends_at_a_round_number(highest: float, top: float) -> None:
    assert round_up(highest) == pytest.approx(top)


# -- names, goals, results -----------------------------------------------------------------------


def test_every_name_is_measured_once() -> None:
    assert sorted(name for m in MEASUREMENTS for name in m.names) == sorted(GOALS)


def test_every_module_that_measures_is_in_the_catalogue() -> None:
    modules = {path.stem for path in (SQL.parent / "measure").glob("[a-z]*.py")}
    assert {m.measure.__module__.rpartition(".")[2] for m in MEASUREMENTS} == modules


def test_the_performance_page_explains_every_name() -> None:
    page = (SQL.parents[1] / "docs" / "performance.md").read_text()
    page = page.partition("## What each number is")[2].partition("\n## ")[0]
    assert [name for name in GOALS if f"`{name}`" not in page] == []


def test_the_quick_run_leaves_out_the_growth_run_unless_it_is_named() -> None:
    def names(measurements: tuple[Measurement, ...]) -> set[str]:
        return {name for m in measurements for name in m.names}

    growth = "growth_20m_vs_empty"
    assert names(chosen(frozenset(), full=True)) == set(GOALS)
    assert names(chosen(frozenset(), full=False)) == set(GOALS) - {growth}
    assert names(chosen(frozenset({growth}), full=False)) == {growth}


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal("ratio", least=0.8), 0.8, True),
        (Goal("ratio", least=0.8), 0.79, False),
        (Goal("ms", most=20), 20.0, True),
        (Goal("ms", most=20), 20.1, False),
        (Goal("ms"), 1.0, None),
    ],
)
def test_a_goal_is_met_at_its_limit(goal: Goal, value: float, met: bool | None) -> None:
    assert goal.met(value) is met


def test_an_unknown_name_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "http_vs_sql,speed"])
    said = capsys.readouterr().err
    assert "unknown: speed" in said
    assert "bytes_per_payment" in said


def test_latest_has_this_runs_values_and_no_others(tmp_path: Path) -> None:
    findings.write({"http_vs_sql": 1.23456, "post_payments_per_s": 21163.8}, {"cores": 2}, tmp_path)
    findings.write({"http_hot_vs_uniform": 0.9}, {"cores": 4}, tmp_path)
    assert json.loads((tmp_path / "latest.json").read_text()) == {"http_hot_vs_uniform": 0.9}
    assert json.loads((tmp_path / "details.json").read_text()) == {"cores": 4}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["details.json", "latest.json"]


def test_values_are_rounded_to_what_they_mean(tmp_path: Path) -> None:
    latest = findings.write({"http_vs_sql": 1.23456, "post_payments_per_s": 21163.8}, {}, tmp_path)
    assert json.loads(latest.read_text()) == {"http_vs_sql": 1.235, "post_payments_per_s": 21164}


class FakeLab:
    def settle(self) -> None: ...


def run_one(names: tuple[str, ...], measure: Callable[..., Findings], only: set[str]) -> Run:
    run = Run(Console(file=io.StringIO()), frozenset(only))
    run.perform(Measurement(names, measure), FakeLab())  # type: ignore[arg-type]
    return run


def test_a_measurement_that_fails_costs_its_own_names_only() -> None:
    def fails(_lab: object) -> Findings:
        raise BenchFailed("the service does not start")

    run = run_one(("http_vs_sql", "http_hot_vs_uniform"), fails, set())
    assert run.values == {}
    assert set(run.failures) == {"http_vs_sql", "http_hot_vs_uniform"}


def test_only_what_was_asked_for_is_kept() -> None:
    def measures(_lab: object) -> Findings:
        return Findings({"http_vs_sql": 1.3, "http_hot_vs_uniform": 0.95})

    run = run_one(("http_vs_sql", "http_hot_vs_uniform"), measures, {"http_vs_sql"})
    assert run.values == {"http_vs_sql": 1.3}


def test_what_the_host_took_is_of_the_time_since(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stat = tmp_path / "stat"
    monkeypatch.setattr(processors, "_STAT", stat)
    stat.write_text("cpu  1000 0 500 8000 100 0 0 400 900 0\ncpu0 1 2 3\n")
    stolen = Stolen()
    assert stolen.percent == 0
    stat.write_text("cpu  1050 0 520 8025 100 0 0 405 950 0\ncpu0 1 2 3\n")
    assert stolen.percent == 5
    stat.unlink()
    assert Stolen().percent == 0


def test_what_the_host_took_is_told_if_it_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for percent, is_told in ((0.4, False), (0.5, True)):
        monkeypatch.setattr(Stolen, "percent", percent)
        out = io.StringIO()
        run = Run(Console(file=out), frozenset())
        run.perform(
            Measurement(("http_vs_sql",), lambda _: Findings({"http_vs_sql": 1.0})),
            FakeLab(),  # type: ignore[arg-type]
        )
        assert run.details["http_vs_sql"]["stolen_percent"] == percent
        assert (f"{percent} % of the processors were not ours" in out.getvalue()) is is_told


def test_a_load_that_ends_by_itself_says_why(tmp_path: Path) -> None:
    binary = tmp_path / "pgbench"
    binary.write_text("#!/bin/sh\necho 'cannot connect' >&2\nexit 1\n")
    binary.chmod(0o755)
    with (
        pytest.raises(BenchFailed, match=r"^pgbench post_payment: cannot connect$"),
        Pgbench(binary, "", 10).beside("post_payment", 1000) as process,
    ):
        process.wait()


def test_the_table_says_what_was_met_missed_and_failed() -> None:
    out = io.StringIO()
    report.show(
        Console(file=out, width=120),
        {"http_vs_sql": 1.3, "bytes_per_payment": 812.0, "feed_poll_ms_12": 0.61},
        {"cached_read_vs_bare": "wrk is missing"},
    )
    lines = out.getvalue().splitlines()

    def row(name: str) -> str:
        return next(line for line in lines if name in line)

    assert "met" in row("http_vs_sql")
    assert "MISSED" in row("bytes_per_payment")
    assert "<= 700" in row("bytes_per_payment")
    assert "met" not in row("feed_poll_ms_12").lower()
    assert "failed" in row("cached_read_vs_bare")
    assert any("wrk is missing" in line for line in lines)
    assert not any("http_batch_vs_sql_batch" in line for line in lines)
