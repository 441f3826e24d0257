"""The `payledger` command, as a process of its own, on an embedded PostgreSQL of its own."""

import asyncio
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_support import Home, Up, database, new_home, post, postmaster, psql, refuses
from embedded_support import gone, soon

from service.database.api_keys import parse_token
from service.embedded import EmbeddedPostgres, find_postgres
from service.embedded.processes import is_alive, parent_of


@pytest.fixture(scope="module")
def lasting_home() -> Iterator[Home]:
    """The cluster is made once, and found again by each test."""
    with new_home() as made:
        yield made


@pytest.fixture
def home(lasting_home: Home) -> Iterator[Home]:
    """A folder to start and end `up` in; what a failed test left running fails no other."""
    yield lasting_home
    lasting_home.end_ups()


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """A running `up`, shared: no test may end it."""
    with new_home() as made:
        running = made.up("--workers", "2")
        yield running
        assert running.end() == 0


# -- up ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_line_that_up_prints_can_be_pasted(up: Up) -> None:
    (line,) = re.findall(r"^  (curl .*)$", up.said, re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", f"{line} --fail --silent"],
        cwd=up.home.path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout).keys() == {"accounts", "next_cursor"}


def test_up_keeps_its_secrets_from_others(up: Up) -> None:
    secret = ["running.json", "dev-key"]
    modes = [stat.S_IMODE((up.home.state / name).stat().st_mode) for name in secret]
    assert modes == [0o600, 0o600]
    key = (up.home.state / "dev-key").read_text().strip()
    password = re.findall(r"//\w+:([^@]+)@", up.running["dsn"])
    assert key not in up.said
    assert password[0] not in up.said


def test_up_tells_other_programs_where_everything_is(up: Up) -> None:
    running = up.running
    assert running["pid"] == up.process.pid
    assert running["url"] == f"http://127.0.0.1:{running['port']}"
    assert running["embedded"] is True
    assert f":{running['postgres_port']}/" in running["dsn"]
    assert "//payledger_service:" in running["dsn"]
    assert "//payledger_migrator:" in running["migrate_dsn"]
    assert Path(running["dev_key_file"]) == up.home.state / "dev-key"


def test_a_later_up_is_ready_in_under_three_seconds_with_the_same_key(home: Home) -> None:
    assert home.up().end() == 0
    key = (home.state / "dev-key").read_text()
    took = []
    while not took or (min(took) > 3 and len(took) < 3):
        begun = time.monotonic()
        again = home.up(PAYLEDGER_WORKERS="")  # as many as nobody asked for
        took.append(time.monotonic() - begun)
        assert again.end() == 0
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)  # we get that part of a busy machine
    assert min(took) < 3 * max(1, busy)
    assert (home.state / "dev-key").read_text() == key


@pytest.mark.parametrize("spoil", ["revoke", "garble", "remove"])
def test_a_development_key_that_no_longer_works_is_replaced(home: Home, spoil: str) -> None:
    up = home.up()
    file = home.state / "dev-key"
    old = file.read_text().strip()
    if spoil == "revoke":
        key = parse_token(old)
        assert key is not None
        assert home.run("keys", "revoke", str(key[0])).returncode == 0
    elif spoil == "garble":
        file.write_text(old[:-5] + "AAAA" + old[-1:] + "\n")
    else:
        file.unlink()
    assert up.end() == 0
    up = home.up()
    new = file.read_text().strip()
    assert new != old
    assert asyncio.run(post(up, "payments", {}))[0] == 400  # known, and allowed to write
    assert up.end() == 0


def test_a_second_up_says_that_the_first_one_runs(up: Up) -> None:
    done = up.home.run("up")
    assert done.returncode == 1
    assert f"it runs already, on {up.running['url']} (process {up.process.pid})" in done.stderr
    assert up.process.poll() is None
    assert up.running["pid"] == up.process.pid


def test_a_taken_port_ends_up_before_anything_is_begun(up: Up, tmp_path: Path) -> None:
    port = str(up.running["port"])
    state = tmp_path / "state"
    done = up.home.run("up", PAYLEDGER_PORT=port, PAYLEDGER_STATE_DIR=str(state))
    assert done.returncode == 1
    assert f"PAYLEDGER_PORT={port}: another program listens there" in done.stderr
    assert not state.exists()


def test_up_works_on_a_database_of_ones_own(up: Up, tmp_path: Path) -> None:
    with database(up, "own") as variables:
        own = Home(tmp_path)
        other = own.up(**variables)
        assert other.running["embedded"] is False
        made = sorted(path.name for path in own.state.iterdir())
        assert made == ["dev-key", "lock", "running.json", "valkey", "valkey.log"]
        body = {"code": "alice", "currency": "USD"}
        assert asyncio.run(post(other, "accounts", body))[0] == 201
        assert own.run("stop").returncode == 0
        assert other.wait() == 0
        assert own.run("migrate", **variables).stdout == "the database is current\n"


def test_up_with_half_a_database_of_ones_own_is_refused(home: Home) -> None:
    done = home.run("up", PAYLEDGER_MIGRATE_DSN="postgresql://u@127.0.0.1:1/d")
    assert done.returncode == 1
    assert "PAYLEDGER_MIGRATE_DSN is set, but PAYLEDGER_DSN is not" in done.stderr


def test_a_database_that_is_not_there_is_told_by_its_variable(home: Home) -> None:
    dsn = "postgresql://u:s3cret@127.0.0.1:1/d"
    done = home.run("serve", PAYLEDGER_DSN=dsn)
    assert done.returncode == 1
    assert done.stderr.startswith("payledger serve: PAYLEDGER_DSN: cannot connect")
    done = home.run("up", PAYLEDGER_DSN=dsn)
    assert done.returncode == 1
    assert "set PAYLEDGER_MIGRATE_DSN" in done.stderr
    assert "s3cret" not in done.stderr


# -- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_service_and_postgresql(home: Home, number: signal.Signals) -> None:
    up = home.up()
    server = postmaster(home)
    assert is_alive(server)
    assert up.end(number) == 0
    assert not is_alive(server)
    assert not (home.state / "running.json").exists()
    assert "Traceback" not in up.said


def test_stop_waits_for_the_end_and_harms_nobody_when_nothing_runs(home: Home) -> None:
    up = home.up()
    done = home.run("stop")
    assert (done.returncode, done.stdout) == (0, f"stopped (process {up.process.pid})\n")
    assert not is_alive(up.process.pid)
    assert up.wait() == 0
    done = home.run("stop")
    assert (done.returncode, done.stdout) == (0, "nothing was running\n")


def test_stop_without_a_state_directory_makes_none(tmp_path: Path) -> None:
    assert Home(tmp_path).run("stop").returncode == 0
    assert list(tmp_path.iterdir()) == []


async def pay_behind_a_lock(up: Up) -> tuple[Process, asyncio.Task[tuple[int, Any]]]:
    """A payment that waits, and the psql that has it wait until it is told to commit."""
    for code, limit in (("slow:alice", None), ("slow:bob", "0")):
        body = {"code": code, "currency": "USD", "min_balance": limit}
        assert (await post(up, "accounts", body))[0] in (200, 201)
    lock = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", "psql", "-XAtq",
        cwd=up.home.path, env=up.home.environment(),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert lock.stdin is not None
    assert lock.stdout is not None
    lock.stdin.write(
        b"begin; select 'held' from ledger.accounts where code = 'slow:bob' for update;\n"
    )
    assert await lock.stdout.readline() == b"held\n"
    payment = asyncio.create_task(
        post(
            up,
            "payments",
            {"from": "slow:alice", "to": "slow:bob", "amount": "5", "currency": "USD"},
            **{"Idempotency-Key": f"slow-{time.time_ns()}"},
        )
    )
    # It waits for the lock now and then only, 50 ms at a time: the server itself has to look.
    wait = """
      do $$ begin
        for i in 1..20000 loop
          if exists (select from pg_locks where not granted) then return; end if;
          perform pg_sleep(0.001);
        end loop;
        raise 'no payment waits';
      end $$; select 'waits'"""
    assert await asyncio.to_thread(psql, up.home, wait) == "waits"
    return lock, payment


async def test_a_payment_in_flight_is_finished_before_the_end(home: Home) -> None:
    up = await asyncio.to_thread(home.up, "--workers", "2")
    lock, payment = await pay_behind_a_lock(up)
    assert lock.stdin is not None
    up.process.send_signal(signal.SIGTERM)
    url = up.running["url"]
    assert await asyncio.to_thread(soon, lambda: refuses(url))
    assert up.process.poll() is None
    lock.stdin.write(b"select pg_sleep(1); commit;\n")  # a service in a hurry would not wait
    lock.stdin.close()
    status, answer = await payment
    assert (status, answer["entries"][1]["balance_after"]) == (201, "5")
    assert await asyncio.to_thread(up.wait) == 0
    await lock.wait()


def test_after_a_kill_postgresql_ends_and_the_next_up_finds_everything(home: Home) -> None:
    up = home.up()
    server = postmaster(home)
    body = {"code": "survivor", "currency": "USD"}
    assert asyncio.run(post(up, "accounts", body))[0] == 201
    up.process.kill()
    up.wait()
    assert gone(server)
    assert home.run("keys", "list").returncode == 1  # what it left behind fools nobody
    up = home.up()
    assert asyncio.run(post(up, "accounts", body))[0] == 200
    assert up.end() == 0


def test_up_ends_with_an_error_when_postgresql_dies(home: Home) -> None:
    up = home.up()
    os.kill(postmaster(home), signal.SIGKILL)
    assert up.wait() == 1
    assert "PostgreSQL has died, see .payledger/postgres.log" in up.said


@pytest.mark.parametrize("asked", [False, True])
async def test_nobody_waits_for_a_postgresql_that_died_with_up(home: Home, asked: bool) -> None:
    """Whether the service notices first, or is asked to end first."""
    # Far more than Up.wait waits, and than a client that is not answered would.
    long = partial(home.up, "--workers", "2", PAYLEDGER_DEADLINE_SECONDS="300")
    up = await asyncio.to_thread(long)
    lock, payment = await pay_behind_a_lock(up)
    server = postmaster(home)
    watchdog = parent_of(server)
    if asked:  # at one moment, for the service
        os.kill(up.process.pid, signal.SIGSTOP)
    os.kill(server, signal.SIGKILL)
    assert await asyncio.to_thread(soon, lambda: not is_alive(watchdog))
    if asked:
        up.process.send_signal(signal.SIGTERM)
        os.kill(up.process.pid, signal.SIGCONT)
    assert await asyncio.to_thread(up.wait) == (0 if asked else 1)
    status, problem = await payment
    assert status == 503
    # The server died amid an attempt, or between two: then it is known that nothing was posted.
    assert problem["code"] in ("outcome_unknown", "account_busy")
    assert lock.stdin is not None
    lock.stdin.close()
    await lock.wait()


# -- serve ---------------------------------------------------------------------------------------


def test_serve_needs_a_database_and_does_not_migrate_it(up: Up, tmp_path: Path) -> None:
    home = Home(tmp_path)
    done = home.run("serve")
    assert done.returncode == 1
    assert "set PAYLEDGER_DSN" in done.stderr

    with database(up, "bare") as variables:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            cwd=tmp_path,
            env=home.environment(**variables),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline().startswith("payledger serves http://127.0.0.1:")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        done = home.run("psql", "-XAtqc", "select to_regnamespace('ledger')", **variables)
        assert done.stdout == "\n"


# -- psql ----------------------------------------------------------------------------------------


def test_psql_passes_arguments_and_exit_status_through(up: Up) -> None:
    done = up.home.run("psql", "-XAt", "-v", "x=1 2", "-c", "select current_user")
    assert (done.returncode, done.stdout) == (0, "payledger_migrator\n")
    assert up.home.run("psql", "--version").stdout.startswith("psql (PostgreSQL)")
    done = up.home.run("psql", "-v", "ON_ERROR_STOP=1", "-c", "select 1 / 0")
    assert done.returncode == 1


def test_psql_is_found_in_the_wheel_when_the_system_has_none(up: Up, tmp_path: Path) -> None:
    if find_postgres({"PATH": "/nonexistent"}).source != "wheel":
        pytest.skip("the preferred server is not the wheel's")
    done = up.home.run("psql", "--version", PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "(PostgreSQL) 18" in done.stdout


def test_no_process_list_shows_psqls_password(up: Up) -> None:
    shown = psql(up.home, r"\! tr '\0' ' ' < /proc/$PPID/cmdline" + "\n")
    password = re.findall(r"//\w+:([^@]+)@", up.running["migrate_dsn"])
    assert "payledger_migrator@127.0.0.1" in shown
    assert password[0] not in shown


def test_without_a_database_commands_say_how_to_get_one(tmp_path: Path) -> None:
    for command in ("psql", "migrate", "verify", "keys list"):
        done = Home(tmp_path).run(*command.split())
        assert done.returncode == 1
        assert "start the embedded one with `payledger up`" in done.stderr
        assert "PAYLEDGER_MIGRATE_DSN" in done.stderr


# -- migrate, sql --------------------------------------------------------------------------------


def test_migrate_says_what_it_did(up: Up) -> None:
    with database(up, "fresh") as variables:
        first = up.home.run("migrate", **variables)
        assert first.returncode == 0, first.stderr
        assert first.stdout.startswith("applied   migrations/0001_")
        assert "applied   functions/90_grants.sql\n" in first.stdout
        again = up.home.run("migrate", **variables)
        assert (again.returncode, again.stdout) == (0, "the database is current\n")


def test_sql_needs_no_database_and_prints_the_same_file_every_time(tmp_path: Path) -> None:
    first, second = (Home(tmp_path).run("sql") for _ in range(2))
    assert first.returncode == 0
    assert first.stdout == second.stdout
    assert first.stdout.startswith("-- payledger, complete, for PostgreSQL 15 or newer:")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_had_enough_gets_no_traceback(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "service", "sql"],
            env=Home(tmp_path).environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


# -- keys ----------------------------------------------------------------------------------------


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(up: Up) -> None:
    made = up.home.run("keys", "create", "till 7", "--scope", "read", "--ledger", "main")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    key = parse_token(token)
    assert key is not None
    assert "not be shown again" in made.stderr

    listed = up.home.run("keys", "list").stdout
    (line,) = [line for line in listed.splitlines() if "till 7" in line]
    assert re.fullmatch(rf"{key[0]} +till 7 +read +1 +\d{{4}}-\d\d-\d\d \d\d:\d\d", line)
    assert token.rpartition("_")[2] not in listed

    revoked = up.home.run("keys", "revoke", str(key[0]))
    assert (revoked.returncode, revoked.stderr) == (0, "")
    (line,) = [line for line in up.home.run("keys", "list").stdout.splitlines() if "till 7" in line]
    assert len(re.findall(r"\d\d:\d\d", line)) == 2


def test_keys_refuse_what_cannot_be(up: Up) -> None:
    done = up.home.run("keys", "create", "x", "--ledger", "no-such")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no ledger is called no-such" in done.stderr
    assert up.home.run("keys", "create", "x", "--scope", "all").returncode == 2
    done = up.home.run("keys", "revoke", "999999")
    assert done.returncode == 1
    assert "no live key 999999" in done.stderr


# -- verify --------------------------------------------------------------------------------------


async def test_verify_finds_a_sound_ledger_sound_and_a_forged_balance(up: Up) -> None:
    body = {"code": "forged", "currency": "USD"}
    assert (await post(up, "accounts", body))[0] == 201
    done = up.home.run("verify", "--slices", "3")
    assert (done.returncode, done.stdout, done.stderr) == (0, "sound: no breach found\n", "")
    assert up.home.run("verify", "--ledger", "main").returncode == 0

    forge = "update ledger.accounts set balance = balance + {} where code = 'forged'"
    superuser = EmbeddedPostgres(up.home.state).dsn("postgres")
    up.home.run("psql", "-c", forge.format(7), PAYLEDGER_DSN=superuser)
    try:
        done = up.home.run("verify", "--slices", "3")
        assert done.returncode == 1
        heading, _, *rows, verdict = done.stdout.splitlines()
        assert heading.split() == ["breach", "ledger", "subject", "detail"]
        assert any("forged" in row for row in rows)
        assert verdict == f"NOT SOUND: {len(rows)} breach{'es' if len(rows) > 1 else ''} found"
    finally:
        up.home.run("psql", "-c", forge.format(-7), PAYLEDGER_DSN=superuser)


def test_verify_refuses_what_cannot_be(up: Up) -> None:
    done = up.home.run("verify", "--ledger", "no-such")
    assert done.returncode == 1
    assert "no ledger is called no-such" in done.stderr
    assert up.home.run("verify", "--slices", "0").returncode == 2


# -- misuse --------------------------------------------------------------------------------------


def test_wrong_settings_are_told_together_before_anything_is_done(tmp_path: Path) -> None:
    done = Home(tmp_path).run("up", PAYLEDGER_PORT="x", PAYLEDGER_POOL_SIZE="0")
    assert done.returncode == 2
    assert [line.partition("=")[0] for line in done.stderr.splitlines()] == [
        "PAYLEDGER_PORT",
        "PAYLEDGER_POOL_SIZE",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_does_not_exist_is_a_misuse(tmp_path: Path) -> None:
    assert Home(tmp_path).run("explode").returncode == 2
    assert Home(tmp_path).run().returncode == 2


def test_two_ups_that_start_at_once_in_one_folder_leave_one_running(home: Home) -> None:
    first, second = Up(home, (), {}), Up(home, (), {})
    home.ups += [first, second]
    assert soon(lambda: {first.process.poll(), second.process.poll()} == {None, 1})
    survivor = first if first.process.poll() is None else second
    survivor.wait_ready()
    assert survivor.running["pid"] == survivor.process.pid
    assert survivor.end() == 0
