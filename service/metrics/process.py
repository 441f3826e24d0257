"""What every process tells of itself, and the loop that has it published."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from service.metrics.instruments import Family, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.metrics.instruments import Metrics

PUBLISH_SECONDS = 1.0

STARTED = Family("gauge", "payledger_start_time_seconds", "When the process began, unix time.")
CPU = Family("counter", "payledger_cpu_seconds_total", "Processor time of all processes.")
MEMORY = Family("gauge", "payledger_resident_memory_bytes", "Memory that the process holds.")
LOOP_LAG = Family(
    "gauge", "payledger_loop_lag_seconds", "How late the event loop was for its last timer."
)
DROPPED = Family(
    "gauge", "payledger_metrics_dropped", "Series of the process for which there was no room."
)

_STATM = Path("/proc/self/statm")


async def publish(metrics: Metrics) -> None:
    """For ever: has the plain numbers where any process can read them, once a second."""
    started, lag = time.time(), 0.0

    def samples() -> Iterator[Sample]:
        yield Sample(STARTED, (), started)
        yield Sample(CPU, (), time.process_time())
        yield Sample(MEMORY, (), _resident_bytes())
        yield Sample(LOOP_LAG, (), lag)
        yield Sample(DROPPED, (), metrics.region.dropped)

    metrics.source((STARTED, CPU, MEMORY, LOOP_LAG, DROPPED), samples)
    loop = asyncio.get_running_loop()
    while True:
        metrics.sample()
        due = loop.time() + PUBLISH_SECONDS
        await asyncio.sleep(PUBLISH_SECONDS)
        lag = max(0.0, loop.time() - due)


def _resident_bytes() -> int:
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError:  # not Linux
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
