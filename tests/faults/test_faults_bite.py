"""Every fault does what its name says, and its end mends it: one that does nothing proves nothing.

One rig for all of them: building it takes longer than breaking it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import asyncpg
import pytest

from loadgen.faults.fault import Scene
from loadgen.faults.matrix import BY_NAME
from loadgen.faults.sessions import session
from loadgen.journal.records import WINDOW_OVER
from loadgen.rig.postgres import Postgres
from loadgen.rig.programs import RigFailed, postgres_programs, valkey_program
from loadgen.rig.rig import Rig

Probe = Callable[[Scene], Awaitable[object]]
WRITE = "insert into bites default values"


async def until(true: Callable[[], Awaitable[object]], seconds: float = 30.0) -> None:
    """Wait for the thing itself."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if await true():
                return
        assert time.monotonic() < deadline, true
        await asyncio.sleep(0.02)


async def write(server: Postgres) -> float:
    """Commit something; give how long it took."""
    start = time.monotonic()
    await server.sql(WRITE)
    return time.monotonic() - start


async def refused(server: Postgres) -> bool:
    """Say whether nothing can be committed."""
    try:
        async with asyncio.timeout(1):
            await write(server)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return True
    return False


def logged(*words: str) -> Probe:
    """The server's log tells of it."""

    async def probe(scene: Scene) -> None:
        log = scene.rig.primary.log

        async def told() -> bool:
            await refused(scene.rig.primary)  # something to fail on
            text = await asyncio.to_thread(log.read_text, errors="replace")
            return any(word in text for word in words)

        await until(told)

    return probe


async def is_down(scene: Scene) -> None:
    assert not scene.rig.primary.runs
    assert await refused(scene.rig.primary)


async def commits_wait(scene: Scene) -> None:
    assert await refused(scene.rig.primary)


async def commits_are_slow(scene: Scene) -> None:
    async def slow() -> bool:
        return await write(scene.rig.primary) >= 0.02

    await until(slow)


async def clock_differs(scene: Scene) -> None:
    there = float(await scene.rig.primary.sql("select extract(epoch from clock_timestamp())"))
    assert 3000 < abs(there - time.time()) < 4000


async def another_is_primary(scene: Scene) -> None:
    assert scene.rig.primary.name == "two"
    assert await scene.rig.primary.sql("select not pg_is_in_recovery()")
    # What is committed now must come through pg_rewind.
    await scene.rig.primary.sql("set synchronous_commit = local; " + WRITE)


async def nobody_gets_in(scene: Scene) -> None:
    dsn = scene.rig.primary.dsn("payledger_service")
    with pytest.raises(asyncpg.TooManyConnectionsError):
        await asyncpg.connect(dsn, timeout=5)


async def row_is_locked(scene: Scene) -> None:
    with pytest.raises(asyncpg.LockNotAvailableError):
        await scene.rig.primary.sql(
            "select 1 from ledger.accounts where code = 'bite:0' for update nowait"
        )


async def a_snapshot_is_old(scene: Scene) -> None:
    assert await scene.rig.primary.sql(
        "select count(*) >= 2 from pg_stat_activity where state = 'idle in transaction'"
    )


async def advisory_locks_are_taken(scene: Scene) -> None:
    assert await scene.rig.primary.sql(
        "select count(*) > 500 from pg_locks where locktype = 'advisory'"
    )


async def tables_are_locked(scene: Scene) -> None:
    assert await scene.rig.primary.sql(
        "select count(*) > 3 from pg_locks where mode = 'AccessShareLock'"
        " and relation = any (select oid from pg_class"
        " where relnamespace = 'ledger'::regnamespace and relkind in ('r', 'p'))"
        " and pid <> pg_backend_pid()"
    )


async def one_service_is_gone(scene: Scene) -> None:
    assert sum(service.runs for service in scene.rig.services) == 1


async def one_service_is_silent(scene: Scene) -> None:
    assert sorted([await answers(url) for url in scene.rig.urls]) == [False, True]


async def another_is_the_relay(scene: Scene) -> None:
    """The terms go up: whoever had it was thought dead."""
    before = max(service.led() for service in scene.rig.services)

    async def led_since() -> bool:
        return max(service.led() for service in scene.rig.services) > before

    await until(led_since)


async def a_dump_is_running(scene: Scene) -> None:
    async def dumps() -> Any:
        return await scene.rig.primary.sql(
            "select count(*) > 0 from pg_stat_activity where application_name = 'pg_dump'"
        )

    await tables_are_locked(scene)
    await until(dumps)


async def postgres_is_out_of_reach(scene: Scene) -> None:
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)):
        await asyncpg.connect(scene.rig.primary.dsn(port=scene.rig.wire.port), timeout=0.5)


async def valkey_does_not_answer(scene: Scene) -> None:
    assert scene.rig.valkey is not None
    with pytest.raises((OSError, RigFailed, TimeoutError)):
        async with asyncio.timeout(0.5):
            await scene.rig.valkey.ask("PING")


async def valkey_is_empty(scene: Scene) -> None:
    valkey = scene.rig.valkey
    assert valkey is not None

    async def gone() -> bool:
        return await valkey.ask("EXISTS", "bite") == ":0"

    await until(gone)


async def answers(url: str) -> bool:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.5)) as session,
            session.get(f"{url}/livez") as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


PROBES: dict[str, Probe] = {
    "postgres_killed": is_down,
    "crash_after_rollbacks": is_down,
    "backend_killed": logged("was terminated by signal 9"),
    "backends_terminated": logged("terminating connection due to administrator command"),
    "postgres_stopped": commits_wait,
    "standby_stopped": commits_wait,
    "standby_killed": commits_wait,
    "slow_commits": commits_are_slow,
    "slow_disk": commits_are_slow,
    "fsync_fails": logged("could not fdatasync", "could not fsync"),
    "disk_full": logged("No space left on device"),
    "database_clock_off": clock_differs,
    "no_connections_left": nobody_gets_in,
    "row_held": row_is_locked,
    "idle_transaction": a_snapshot_is_old,
    "forged_notices": advisory_locks_are_taken,
    "dump_and_partitions": a_dump_is_running,
    "deadlock_bait": logged("deadlock detected"),
    "relay_killed": another_is_the_relay,
    "relay_stopped": another_is_the_relay,
    "service_killed": one_service_is_gone,
    "service_restarted": one_service_is_gone,
    "service_stopped": one_service_is_silent,
    "clients_cut": one_service_is_silent,
    "clients_silent": one_service_is_silent,
    "postgres_cut": postgres_is_out_of_reach,
    "postgres_silent": postgres_is_out_of_reach,
    "redis_killed": valkey_does_not_answer,
    "redis_stopped": valkey_does_not_answer,
    "redis_flushed": valkey_is_empty,
    "failover": another_is_primary,
}


async def acknowledged_commits_are_lost(rig: Rig) -> None:
    """The failover that loses, with somebody who commits all the time and counts."""
    old = rig.primary
    count = "select count(*) from bites"
    before, acknowledged = await old.sql(count), 0
    writer = await asyncpg.connect(old.dsn())

    async def commit() -> None:
        nonlocal acknowledged
        # The internal one is what asyncpg says when it is asked in the very moment of the loss.
        with contextlib.suppress(
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError
        ):
            while True:
                await writer.execute(WRITE)
                acknowledged += 1

    async def burst(_: str) -> None:
        """There is no load but ours."""

    noted: list[str] = []
    committing = asyncio.create_task(commit())
    scene = Scene(rig, random.Random(1), burst, (), noted.append)
    async with BY_NAME["failover_that_loses"].inject(scene):
        await committing
        writer.terminate()
        assert rig.primary is not old
        assert before < await rig.primary.sql(count) < before + acknowledged
        assert noted == [WINDOW_OVER]
    await whole(rig)


async def prepare(rig: Rig) -> None:
    await rig.primary.sql("create table bites (at timestamptz default now())")
    # Something that recovery and a full disk have to write.
    for number in range(4):
        await rig.primary.sql(
            "select ledger.create_account($1, 'USD', p_min_balance => null)", f"bite:{number}"
        )
    if rig.valkey is not None:
        await rig.valkey.ask("SET", "bite", "1")


async def whole(rig: Rig) -> None:
    """Everything is as it was before: writes go to both servers, and both services answer."""

    async def streams() -> Any:
        return await rig.primary.sql("select count(*) from pg_stat_replication") == 1

    async def nobody_holds_locks() -> Any:
        # A relay that has just taken over looks after partitions, one at a time.
        return await rig.primary.sql(
            "select count(*) = 0 from pg_locks where locktype = 'advisory'"
        )

    async def both_serve() -> bool:
        return all([await answers(url) for url in rig.urls])

    await until(streams, 60)
    await write(rig.primary)
    await until(both_serve)
    await until(nobody_holds_locks)
    if rig.valkey is not None:
        await rig.valkey.ask("PING")


@pytest.mark.timeout(600)
async def test_every_fault_bites_and_is_healed() -> None:
    try:
        postgres_programs()
    except RigFailed as error:
        pytest.skip(str(error))
    if valkey_program() is None:
        pytest.skip("no Valkey or Redis server here")
    skipped = []
    async with Rig() as rig:
        await prepare(rig)

        async def burst(_: str) -> None:
            await asyncio.sleep(0.05)

        codes = tuple(f"bite:{number}" for number in range(4))
        for name, probe in PROBES.items():
            fault = BY_NAME[name]
            if (why := fault.problem(rig)) is not None:
                skipped.append(f"{name}: {why}")
                continue
            scene = Scene(rig, random.Random(name), burst, codes)
            try:
                # The services' pools may be empty: nobody asks them for anything here.
                async with session(rig.primary.dsn("payledger_service")), fault.inject(scene):
                    await probe(scene)
                await whole(rig)
            except BaseException as error:
                error.add_note(f"while {name} was at work, or after it")
                raise
        await acknowledged_commits_are_lost(rig)
    assert not shutil.which("strace") or not any("slow_disk" in one for one in skipped)
