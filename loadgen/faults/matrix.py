"""All faults, by row of the matrix."""

from __future__ import annotations

from loadgen.faults import cache, load, networks, processes, servers, sessions
from loadgen.faults.fault import Fault

CRASH = 30.0
"""Seconds within which PostgreSQL has recovered and the services have found it again."""
QUICK = 12.0
"""For what only a connection notices: a call's deadline, and a bit."""

FAULTS: tuple[Fault, ...] = (
    Fault(
        "commit_answer_lost",
        "acknowledgement lost after COMMIT",
        networks.answers_lost,
        QUICK,
        (0.2, 0.5),
        serves=True,
    ),
    Fault(
        "postgres_killed", "kill -9 of all PostgreSQL processes", servers.killed, CRASH, (0.1, 1.5)
    ),
    Fault("backend_killed", "kill -9 of one backend", servers.backend_killed, CRASH, (0.1, 0.5)),
    Fault("postgres_stopped", "kill -9 of all PostgreSQL processes", servers.stopped, CRASH),
    Fault("service_killed", "kill -9 of a service process", processes.killed, QUICK, serves=True),
    Fault("service_stopped", "SIGSTOP/SIGCONT of a service process", processes.stopped, QUICK),
    Fault(
        "service_restarted", "kill -9 of a service process", processes.restarted, QUICK, serves=True
    ),
    Fault(
        "duplicates_racing",
        "64 simultaneous duplicates over two processes",
        load.bursts("racers", 2),
        QUICK,
        serves=True,
    ),
    Fault(
        "conflicts_racing",
        "same key, different body, racing",
        load.bursts("conflicts", 16),
        QUICK,
        serves=True,
    ),
    Fault(
        "clients_giving_up",
        "client gives up in mid-call",
        load.bursts("storms", 8),
        QUICK,
        serves=True,
    ),
    Fault(
        "overdrafts_racing",
        "deadlock bait, lock timeout",
        load.bursts("hunters", 6),
        QUICK,
        serves=True,
    ),
    Fault("deadlock_bait", "deadlock bait, lock timeout", sessions.reverse_locks, QUICK),
    Fault(
        "fsync_fails",
        "fsync error, slow disk",
        servers.fsync_fails,
        CRASH,
        (1.0, 3.0),
        problem=servers.needs_strace,
        substitute="postgres_killed",
    ),
    Fault(
        "slow_disk",
        "fsync error, slow disk",
        servers.slow_disk,
        CRASH,
        problem=servers.needs_strace,
        substitute="slow_commits",
    ),
    Fault("slow_commits", "fsync error, slow disk", servers.slow_commits, QUICK, serves=True),
    Fault(
        "disk_full",
        "disk full",
        servers.disk_full,
        CRASH,
        (1.5, 3.5),
        problem=servers.needs_disk,
    ),
    Fault("postgres_cut", "network cut", networks.cut(networks.to_postgres), QUICK),
    Fault("postgres_silent", "black hole", networks.silent(networks.to_postgres), QUICK),
    Fault("postgres_reset", "reset", networks.resets(networks.to_postgres), QUICK),
    Fault(
        "postgres_slow",
        "network cut, black hole, reset",
        networks.slow(networks.to_postgres, 0.05),
        QUICK,
        serves=True,
    ),
    Fault("clients_cut", "network cut", networks.cut(networks.to_service), QUICK, serves=True),
    Fault("clients_silent", "black hole", networks.silent(networks.to_service), QUICK),
    Fault("clients_reset", "reset", networks.resets(networks.to_service), QUICK, serves=True),
    Fault("failover", "failover to a synchronous standby", servers.failover, CRASH, (0.2, 1.0)),
    Fault(
        "failover_that_loses",
        "failover to an asynchronous standby",
        servers.failover_that_loses,
        CRASH,
        (0.2, 1.0),
        loses=True,
    ),
    Fault("standby_stopped", "failover to a synchronous standby", servers.standby_stopped, CRASH),
    Fault("standby_killed", "failover to a synchronous standby", servers.standby_killed, CRASH),
    Fault(
        "database_clock_off",
        "clock one hour off",
        servers.clock_off,
        CRASH,
        problem=servers.needs_faketime,
    ),
    Fault(
        "service_clock_off",
        "clock one hour off",
        processes.clock_off,
        QUICK,
        problem=servers.needs_faketime,
        serves=True,
    ),
    Fault(
        "redis_killed",
        "Redis killed",
        cache.killed,
        QUICK,
        problem=cache.needs_valkey,
        serves=True,
    ),
    Fault(
        "redis_stopped",
        "Redis killed",
        cache.stopped,
        QUICK,
        problem=cache.needs_valkey,
        serves=True,
    ),
    Fault(
        "redis_flushed",
        "Redis flushed",
        cache.flushed,
        QUICK,
        problem=cache.needs_valkey,
        serves=True,
    ),
    Fault(
        "redis_evicting",
        "Redis evicting",
        cache.evicting,
        QUICK,
        problem=cache.needs_valkey,
        serves=True,
    ),
    Fault(
        "redis_old_data",
        "Redis with old data",
        cache.old_data,
        QUICK,
        problem=cache.needs_valkey,
        serves=True,
    ),
    Fault(
        "redis_silent",
        "Redis killed",
        networks.silent(networks.to_valkey),
        QUICK,
        problem=cache.needs_valkey,
        serves=True,
    ),
    Fault(
        "backends_terminated",
        "pool exhausted, backend terminated",
        servers.backends_terminated,
        QUICK,
        (0.2, 0.5),
        serves=True,
    ),
    Fault(
        "no_connections_left",
        "pool exhausted, backend terminated",
        sessions.no_connections_left,
        QUICK,
    ),
    Fault(
        "idle_transaction",
        "long idle transaction holding an xid; idle snapshot",
        sessions.idle_transaction,
        QUICK,
        (2.0, 6.0),
        serves=True,
    ),
    Fault(
        "row_held",
        "stranger holds one account's row",
        sessions.row_held,
        QUICK,
        (2.0, 6.0),
        serves=True,
    ),
    Fault(
        "crash_after_rollbacks",
        "crash after rolled-back transactions",
        servers.crash_after_rollbacks,
        CRASH,
        (0.1, 1.0),
    ),
    Fault(
        "forged_notices",
        "forged NOTIFY, stolen advisory locks",
        sessions.forged_notices,
        QUICK,
        serves=True,
    ),
    Fault(
        "dump_and_partitions",
        "maintain_partitions under a running pg_dump",
        sessions.dump_and_partitions,
        QUICK,
        serves=True,
    ),
)

BY_NAME = {fault.name: fault for fault in FAULTS}
