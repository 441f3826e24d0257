"""Faults of PostgreSQL's processes, its disk, its clock, and failovers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from loadgen.faults.fault import Scene
from loadgen.journal.records import WINDOW_OVER
from loadgen.rig.postgres import Postgres
from loadgen.rig.programs import RigFailed, children_of, faketime_library, send, start
from loadgen.rig.rig import Rig

SETTLE_SECONDS = 60.0
BEHIND_SECONDS = (0.5, 1.5)
STALE_SECONDS = 2.0
"""How old a balance may be that is read without a token."""
SPARE_WAL_FILES = 64
COMMIT = "set synchronous_commit = local; select pg_logical_emit_message(true, 'prove', 'commit')"
NEXT_WAL_FILE = (
    "set synchronous_commit = off;"
    " select pg_logical_emit_message(true, 'prove', 'next'); select pg_switch_wal()"
)


@asynccontextmanager
async def killed(scene: Scene) -> AsyncIterator[None]:
    """All processes of the primary end at once; it recovers from its WAL."""
    await scene.rig.primary.kill()
    yield
    await revive(scene.rig.primary)


@asynccontextmanager
async def backend_killed(scene: Scene) -> AsyncIterator[None]:
    """One backend is killed: PostgreSQL ends all others and recovers."""
    primary = scene.rig.primary
    pids = await backends(primary)
    if not pids:
        raise RigFailed("the service has no session that could be killed")
    send(scene.random.choice(pids), signal.SIGKILL)
    yield
    await primary.ready()


@asynccontextmanager
async def backends_terminated(scene: Scene) -> AsyncIterator[None]:
    """An operator terminates every session of the service."""
    await scene.rig.primary.sql(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where usename = 'payledger_service'"
    )
    yield


@asynccontextmanager
async def stopped(scene: Scene) -> AsyncIterator[None]:
    """The primary stands still, with every connection open."""
    scene.rig.primary.signal_all(signal.SIGSTOP)
    yield
    scene.rig.primary.signal_all(signal.SIGCONT)


@asynccontextmanager
async def standby_stopped(scene: Scene) -> AsyncIterator[None]:
    """The standby stands still: nothing may be acknowledged meanwhile."""
    scene.rig.standby.signal_all(signal.SIGSTOP)
    yield
    scene.rig.standby.signal_all(signal.SIGCONT)
    await ensure_standby(scene.rig)


@asynccontextmanager
async def standby_killed(scene: Scene) -> AsyncIterator[None]:
    """The standby is gone for a while."""
    await scene.rig.standby.kill()
    yield
    await ensure_standby(scene.rig)


@asynccontextmanager
async def failover(scene: Scene) -> AsyncIterator[None]:
    """The primary dies, its synchronous standby takes its place; the old one comes back rewound."""
    await scene.rig.primary.kill()
    await _promote_standby(scene.rig)
    yield
    await ensure_standby(scene.rig)


@asynccontextmanager
async def failover_that_loses(scene: Scene) -> AsyncIterator[None]:
    """As before, but nobody waited for the standby, and it was behind: what it lacks is lost."""
    rig = scene.rig
    await rig.primary.set("synchronous_standby_names", None)
    receivers = await rig.standby.sql(
        "select array_agg(pid) from pg_stat_activity where backend_type = 'walreceiver'"
    )
    for pid in receivers or ():
        send(pid, signal.SIGSTOP)
    await asyncio.sleep(scene.random.uniform(*BEHIND_SECONDS))
    await rig.primary.kill()
    # What has come as far as its socket must not arrive after all: it hears of its end first.
    for pid in receivers or ():
        send(pid, signal.SIGTERM)
        send(pid, signal.SIGCONT)
    await _promote_standby(rig)
    await asyncio.sleep(STALE_SECONDS)
    scene.note(WINDOW_OVER)
    yield
    await ensure_standby(rig)


async def _promote_standby(rig: Rig) -> None:
    old, new = rig.primary, rig.standby
    await new.promote()
    rig.primary, rig.standby = new, old
    rig.wire.upstream = ("127.0.0.1", new.port)
    await rig.wire.reset()
    await new.sql("select ledger.start_epoch('failover')")


@asynccontextmanager
async def crash_after_rollbacks(scene: Scene) -> AsyncIterator[None]:
    """Transaction ids that were rolled back are issued again after a crash."""
    primary = scene.rig.primary
    connection = await asyncpg.connect(primary.dsn())
    await connection.execute("begin; select pg_current_xact_id(); rollback;" * 200)
    connection.terminate()
    await primary.kill()
    yield
    await revive(primary)


@asynccontextmanager
async def disk_full(scene: Scene) -> AsyncIterator[None]:
    """No room on the servers' disk: WAL can't grow, and recovery can't either."""
    rig = scene.rig
    await asyncio.to_thread(rig.disk.fill)
    # The server has WAL files in stock; what a busy hour would use up is used up now.
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        for _ in range(SPARE_WAL_FILES):
            await rig.primary.sql(NEXT_WAL_FILE)
    yield
    await asyncio.to_thread(rig.disk.clear)
    await revive(rig.primary)
    await ensure_standby(rig)


@asynccontextmanager
async def fsync_fails(scene: Scene) -> AsyncIterator[None]:
    """The kernel reports an I/O error for an fsync of WAL: PostgreSQL must not go on."""
    async with _traced(scene, "fdatasync:error=EIO"):
        yield
    await revive(scene.rig.primary)
    await ensure_standby(scene.rig)


@asynccontextmanager
async def slow_disk(scene: Scene) -> AsyncIterator[None]:
    """Every fsync takes 30 ms more."""
    async with _traced(scene, "fdatasync:delay_exit=30000"):
        yield
    await revive(scene.rig.primary)


@asynccontextmanager
async def slow_commits(scene: Scene) -> AsyncIterator[None]:
    """Every commit waits 20 ms before its flush, as on a slow disk."""
    primary = scene.rig.primary
    await primary.set("commit_siblings", "0")
    await primary.set("commit_delay", "20000")
    yield
    await primary.set("commit_delay", None)
    await primary.set("commit_siblings", None)


@asynccontextmanager
async def clock_off(scene: Scene) -> AsyncIterator[None]:
    """The primary comes back with its clock an hour before or after the true time."""
    primary = scene.rig.primary
    offset = scene.random.choice(("-3600", "+3600"))
    primary.environment = {
        "LD_PRELOAD": str(faketime_library()),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    try:
        await primary.stop()
        await primary.start()
        yield
    finally:
        primary.environment = {}
    await primary.stop()
    await primary.start()
    await ensure_standby(scene.rig)


def needs_disk(rig: Rig) -> str | None:
    """Say why the disk can't be filled."""
    return rig.disk.problem


def needs_strace(_: Rig) -> str | None:
    """Say why system calls can't be made to fail."""
    if shutil.which("strace") is None:
        return "needs strace"
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    if os.geteuid() != 0 and scope.exists() and scope.read_text().strip() != "0":
        return "needs the right to trace processes (ptrace)"
    return None


def needs_faketime(_: Rig) -> str | None:
    """Say why the clock can't be moved."""
    return None if faketime_library() else "needs libfaketime (Debian: faketime)"


async def revive(server: Postgres) -> None:
    """Have a server run again, whatever it is doing now."""
    if server.runs:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(_commits(server), SETTLE_SECONDS)
            return
        await server.kill()
    await server.start()


async def _commits(server: Postgres) -> None:
    """Return when it can flush WAL. One whose backend panics takes connections a moment longer."""
    while True:
        await server.ready()
        try:
            await server.sql(COMMIT)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(0.05)
        else:
            return


async def ensure_standby(rig: Rig) -> None:
    """Have a synchronous standby follow the primary again: rewound, or else copied anew."""
    await rig.primary.set("synchronous_standby_names", "*")
    if rig.standby.runs:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(rig.primary.wait_streaming(), 5)
            return
        await rig.standby.kill()
    for repair in (_as_it_is, _rewound, _copied):
        try:
            await repair(rig)
            await asyncio.wait_for(rig.primary.wait_streaming(), 15)
        except Exception:  # noqa: BLE001 - whatever it is, the next way is more thorough
            await rig.standby.kill()
        else:
            return
    raise RuntimeError("no standby could be made")


async def _as_it_is(rig: Rig) -> None:
    if not await asyncio.to_thread((rig.standby.data / "standby.signal").exists):
        raise RuntimeError("it was a primary")
    await rig.standby.start()


async def _rewound(rig: Rig) -> None:
    await rig.standby.rewind_to(rig.primary)
    await rig.standby.start()


async def _copied(rig: Rig) -> None:
    await rig.standby.create_from(rig.primary)
    await rig.standby.start()


async def backends(server: Postgres) -> list[int]:
    """Give the processes that serve the service."""
    found: str | None = await server.sql(
        "select string_agg(pid::text, ',') from pg_stat_activity"
        " where usename = 'payledger_service' and backend_type = 'client backend'"
    )
    return [int(pid) for pid in (found or "").split(",") if pid]


@asynccontextmanager
async def _traced(scene: Scene, injection: str) -> AsyncIterator[None]:
    primary = scene.rig.primary
    pids = [primary.pid, *children_of(primary.pid)]
    attached = [part for pid in pids for part in ("-p", str(pid))]
    command = ["strace", "-qq", "-f", "-e", "trace=fdatasync", "-e", f"inject={injection}"]
    tracer = await start(
        [*command, "-o", "/dev/null", *attached],
        scene.rig.home / "strace.log",
        env={"PATH": "/usr/bin:/bin"},
    )
    try:
        yield
        if tracer.returncode is not None and primary.runs:
            raise RigFailed(f"strace ended by itself with {tracer.returncode}")
    finally:
        if tracer.returncode is None:
            send(tracer.pid, signal.SIGINT)
            await tracer.wait()
