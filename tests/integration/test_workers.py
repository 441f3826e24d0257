"""Several processes on one port: they share the work, outlive each other, and end together."""

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from cli_support import Home, Up, new_home, post, refuses
from embedded_support import gone, soon
from prometheus_client.parser import text_string_to_metric_families

from service.commands import supervisor as supervisor_module
from service.embedded import EmbeddedPostgres
from service.embedded.processes import PROC, is_alive, parent_of
from service.embedded.valkey import leftover_of


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with new_home() as made:
        yield made


@pytest.fixture(scope="module")
def up(home: Home) -> Iterator[Up]:
    """Two workers, shared by the tests that leave them running."""
    running = home.up("--workers", "2")
    yield running
    if running.process.poll() is None:
        assert running.end() == 0


def workers_of(up: Up) -> list[int]:
    """The processes that serve: those children that our module runs in."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and parent_of(int(entry.name)) == up.process.pid:
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"service.commands.worker" in command and is_alive(int(entry.name)):
                found.append(int(entry.name))
    return sorted(found)


async def scrape(url: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Every sample of /metrics, by name and labels."""
    async with aiohttp.ClientSession() as client, client.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        text = await answer.text()
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return found


async def alive(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as client, client.get(f"{url}/livez") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def connect(up: Up) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", up.running["port"])
    return writer


def connections_of(pid: int, port: int) -> int:
    """How many connections to the port a process holds, without asking it."""
    tables = (PROC / str(pid) / "net" / "tcp").read_text().splitlines()[1:]
    inodes = {
        row.split()[9]
        for row in tables
        if row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "01"
    }
    held = 0
    for entry in (PROC / str(pid) / "fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        held += target.removeprefix("socket:[").rstrip("]") in inodes
    return held


# -- one port ----------------------------------------------------------------------------------


def test_two_workers_are_ready_when_up_says_so(up: Up) -> None:
    assert len(workers_of(up)) == 2
    assert up.running["workers"] == 2


async def test_a_burst_of_connections_is_shared_out(up: Up) -> None:
    port = up.running["port"]
    first, second = workers_of(up)
    writers = await asyncio.gather(*(connect(up) for _ in range(100)))
    try:
        assert await asyncio.to_thread(
            soon, lambda: connections_of(first, port) + connections_of(second, port) == 100
        )
        assert min(connections_of(first, port), connections_of(second, port)) >= 1
    finally:
        for writer in writers:
            writer.close()


async def test_an_answers_request_id_begins_with_the_process_that_gave_it(up: Up) -> None:
    """The contract of docs/cache.md: the load generator tells workers apart by it."""
    port, workers = up.running["port"], workers_of(up)
    named: dict[int, set[str]] = defaultdict(set)
    while set(named) != set(workers):  # until each has answered: a new connection each time
        async with aiohttp.ClientSession() as client:
            for _ in range(3):
                async with client.get(f"{up.running['url']}/livez") as answer:
                    process, number = answer.headers["X-Request-Id"].rsplit("-", 1)
                    assert number.isdecimal()
                    (worker,) = [pid for pid in workers if connections_of(pid, port)]
                    named[worker].add(process)
    first, second = named.values()
    assert len(first) == len(second) == 1
    assert first != second


def test_nobody_else_can_open_the_port(up: Up) -> None:
    port = str(up.running["port"])
    done = up.home.run("serve", PAYLEDGER_PORT=port, PAYLEDGER_DSN="postgresql://u@127.0.0.1:1/d")
    assert done.returncode == 1
    assert f"PAYLEDGER_PORT={port}: another program listens there" in done.stderr


def test_the_number_of_workers_is_judged(home: Home) -> None:
    for wrong in ("0", "65", "two"):
        done = home.run("up", "--workers", wrong)
        assert done.returncode == 2
        assert "must be a whole number from 1 to 64" in done.stderr


# -- metrics -----------------------------------------------------------------------------------


async def test_one_scrape_shows_what_all_workers_did(up: Up) -> None:
    url, port = up.running["url"], up.running["port"]
    labels = (("method", "GET"), ("route", "/livez"), ("status", "200"))
    before = (await scrape(url))["payledger_http_requests_total"].get(labels, 0)
    asked: set[int] = set()
    requests = 0
    workers = workers_of(up)
    while asked != set(workers):  # until each has answered: a new connection each time
        async with aiohttp.ClientSession() as client, client.get(f"{url}/livez") as answer:
            assert answer.status == 200
            requests += 1
            asked |= {pid for pid in workers if connections_of(pid, port)}
    for _ in range(10):  # whichever is asked
        samples = await scrape(url)
        assert samples["payledger_http_requests_total"][labels] == before + requests
        route = labels[:2]
        assert samples["payledger_http_request_seconds_count"][route] == before + requests
    started = samples["payledger_start_time_seconds"]
    assert set(started) == {(("worker", "1"),), (("worker", "2"),)}
    assert all(value > 10e6 for value in samples["payledger_resident_memory_bytes"].values())


async def test_payments_and_what_they_became_are_counted(up: Up) -> None:
    for code, limit in (("m:a", None), ("m:b", "0")):
        body = {"code": code, "currency": "USD", "min_balance": limit}
        assert (await post(up, "accounts", body))[0] == 201
    pay = {"from": "m:a", "to": "m:b", "amount": "5", "currency": "USD"}
    too_much = pay | {"from": "m:b", "to": "m:a", "amount": "99"}
    assert (await post(up, "payments", pay, **{"Idempotency-Key": "m1"}))[0] == 201
    assert (await post(up, "payments", pay, **{"Idempotency-Key": "m1"}))[0] == 201
    assert (await post(up, "payments", too_much, **{"Idempotency-Key": "m2"}))[0] == 422
    batch = {"payments": [pay | {"idempotency_key": "m3"}, pay | {"idempotency_key": "m4"}]}
    assert (await post(up, "payments/batch", batch))[0] == 200

    samples = await scrape(up.running["url"])
    counted = {
        tuple(value for _, value in labels): value
        for labels, value in samples["payledger_payments_total"].items()
    }
    assert counted == {
        ("", "posted", "false"): 3,
        ("", "posted", "true"): 1,
        ("insufficient_funds", "rejected", "false"): 1,
    }
    assert samples["payledger_pool_wait_seconds_count"][(("pool", "payments"),)] >= 5
    # No path, no key, no account.
    assert "m:a" not in json.dumps([str(labels) for labels in samples.values()])


async def test_what_no_route_knows_is_counted_without_its_path(up: Up) -> None:
    url = up.running["url"]
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{url}/some/secret") as answer:
            assert answer.status == 404
        async with client.request("PURGE", f"{url}/livez") as answer:
            assert answer.status == 405
    counted = (await scrape(url))["payledger_http_requests_total"]
    assert counted[("method", "GET"), ("route", "none"), ("status", "404")] >= 1
    assert counted[("method", "other"), ("route", "none"), ("status", "405")] >= 1


# -- crashes -----------------------------------------------------------------------------------


async def test_a_worker_that_crashes_is_replaced_and_its_counts_stay(up: Up) -> None:
    url = up.running["url"]
    before = (await scrape(url))["payledger_http_requests_total"]
    first, second = workers_of(up)
    os.kill(first, signal.SIGKILL)
    assert await asyncio.to_thread(soon, lambda: len(workers_of(up)) == 2)
    assert second in workers_of(up)
    assert first not in workers_of(up)
    assert await alive(url)
    after = (await scrape(url))["payledger_http_requests_total"]
    assert all(after[labels] >= value for labels, value in before.items())
    assert '"message": "worker ended"' in up.said
    assert f'"pid": {first}, "status": -9' in up.said


async def test_while_one_worker_is_away_the_others_serve(up: Up) -> None:
    frozen, _ = workers_of(up)
    os.kill(frozen, signal.SIGSTOP)
    try:
        for _ in range(20):
            assert await asyncio.wait_for(alive(up.running["url"]), 20)
    finally:
        os.kill(frozen, signal.SIGCONT)


async def test_valkey_that_dies_is_started_again_and_the_service_stays(up: Up) -> None:
    pid_file = leftover_of(up.home.state)
    before = int(pid_file.read_text())
    os.kill(before, signal.SIGKILL)

    def another() -> bool:
        try:
            return int(pid_file.read_text()) != before
        except (FileNotFoundError, ValueError):
            return False

    assert await asyncio.to_thread(soon, another)
    assert await alive(up.running["url"])
    assert "Valkey has died" in up.said


def test_logs_say_which_worker_they_are_from(home: Home, up: Up) -> None:
    if up.process.poll() is None:
        assert up.end() == 0
    other = home.up("--workers", "2", PAYLEDGER_LOG_LEVEL="debug")
    url = other.running["url"]
    subprocess.run(["curl", "-s", f"{url}/livez"], check=True, capture_output=True)
    assert other.end() == 0
    lines = [json.loads(line) for line in other.said.splitlines() if line.startswith("{")]
    asked = [line for line in lines if line["message"] == "request"]
    assert [line["worker"] for line in asked] in ([1], [2])


# -- the end -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_parent_ends_all(home: Home, number: signal.Signals) -> None:
    up = home.up("--workers", "2")
    everything = [*workers_of(up), int(leftover_of(home.state).read_text())]
    url = up.running["url"]
    assert up.end(number) == 0
    assert not any(map(is_alive, everything))
    assert refuses(url)
    assert "Traceback" not in up.said
    assert "worker ended" not in up.said


def test_workers_end_when_their_parent_is_killed(home: Home) -> None:
    up = home.up("--workers", "2")
    everything = [*workers_of(up), int(leftover_of(home.state).read_text())]
    url = up.running["url"]
    up.process.kill()
    up.wait()
    assert all(map(gone, everything))
    assert refuses(url)


def test_a_worker_that_hangs_does_not_keep_the_others_from_ending(
    home: Home,
) -> None:
    up = home.up("--workers", "2", PAYLEDGER_DEADLINE_SECONDS="0.1")
    frozen, other = workers_of(up)
    os.kill(frozen, signal.SIGSTOP)
    assert up.end() == 0
    assert not is_alive(frozen)
    assert not is_alive(other)
    assert "worker hangs, and is killed" in up.said


def test_a_worker_that_cannot_begin_ends_the_service_with_the_reason(home: Home) -> None:
    done = home.run("serve", "--workers", "2", PAYLEDGER_DSN="postgresql://u:s3cret@127.0.0.1:1/d")
    assert done.returncode == 1
    assert "payledger serve: PAYLEDGER_DSN: cannot connect" in done.stderr
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_pause_before_a_new_start_grows_and_is_forgotten_by_one_that_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(supervisor_module.time, "monotonic", lambda: now)
    place = supervisor_module._Worker(1)
    pauses = []
    for lived in (0, 1, 2, 3, 4, 5, 6, 7, 8, supervisor_module.SETTLED_SECONDS, 0):
        ours, theirs = socket.socketpair()
        place.begin(ours)
        theirs.close()
        now += lived
        pauses.append(place.end())
        assert place.starts_at == now + pauses[-1]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 0.1, 0.2]


# -- Valkey is wanted, not needed --------------------------------------------------------------


def test_without_valkey_up_says_so_and_serves(home: Home, tmp_path: Path) -> None:
    program = tmp_path / "valkey"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    up = home.up(PAYLEDGER_VALKEY_BIN=str(program))
    assert "the service runs on its first cache layer alone" in up.said
    assert up.running["redis_url"] is None
    assert asyncio.run(alive(up.running["url"]))
    assert up.end() == 0


def test_a_redis_of_ones_own_is_used_in_its_place(home: Home) -> None:
    up = home.up(PAYLEDGER_REDIS_URL="redis://127.0.0.1:1/0")
    assert up.running["redis_url"] == "redis://127.0.0.1:1/0"
    assert not leftover_of(home.state).exists()
    assert asyncio.run(alive(up.running["url"]))
    assert up.end() == 0


def test_stop_ends_a_leftover_valkey(home: Home) -> None:
    up = home.up()
    server = int(leftover_of(home.state).read_text())
    watchdog = parent_of(server)
    os.kill(server, signal.SIGSTOP)
    os.kill(watchdog, signal.SIGKILL)
    up.process.kill()
    up.wait()
    postmaster = EmbeddedPostgres(home.state).data_dir / "postmaster.pid"
    assert soon(lambda: not postmaster.exists())
    done = home.run("stop")
    assert (done.returncode, done.stdout) == (0, "a leftover Valkey is stopped\n")
    assert not is_alive(server)
