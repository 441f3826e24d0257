"""Memory of a process of the service that has read a hundred thousand accounts."""

from __future__ import annotations

from bench.findings import Findings
from bench.tools.lab import Lab
from bench.tools.service import Service, resident_mb
from bench.tools.wrk import Load, run

ACCOUNTS = 100_000
CONNECTIONS = 64
PIECE_SECONDS = 2


def measure(lab: Lab) -> Findings:
    """One process, so that it has them all; looked at after some seconds of load on top."""
    lab.create_accounts("read", ACCOUNTS)
    with lab.service(workers=1) as service:
        (pid,) = service.worker_pids()
        fresh = resident_mb(pid)
        first_reads_per_s = _read_each(service)
        after_first = resident_mb(pid)
        _read(service, "read", lab.scale.seconds)
        full = resident_mb(pid)
        kept = service.metrics("payledger_cache_entries")
    return Findings(
        {"rss_mb_100k_accounts": full},
        {
            "fresh_mb": fresh,
            "after_each_was_read_once_mb": after_first,
            "first_reads_per_s": first_reads_per_s,
            "balances_in_l1": kept,
        },
    )


def _read_each(service: Service) -> float:
    """In pieces, since wrk ends by time only; gives reads a second."""
    read, seconds = 0, 0.0
    while read < ACCOUNTS:
        load = _read(service, "read_each", PIECE_SECONDS, first=read)
        read += load.requests
        seconds += load.seconds
    return read / seconds


def _read(service: Service, script: str, seconds: float, first: int = 0) -> Load:
    variables = {
        "key": service.key,
        "path": service.path("accounts/read:%d/balance"),
        "accounts": ACCOUNTS,
        "first": first,
    }
    return run(
        script,
        service.url,
        connections=CONNECTIONS,
        seconds=seconds,
        threads=1,
        variables=variables,
    ).sound()
