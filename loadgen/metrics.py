"""What the service says of itself on /metrics, as far as a verdict needs it."""

from __future__ import annotations

import aiohttp

from loadgen.checker import Breach

AUDITED = "payledger_cache_audited_total"
MISMATCHES = "payledger_cache_audit_mismatches_total"
_SECONDS = 10.0


class MetricsUnread(Exception):
    """The service did not tell its figures."""


async def auditor(url: str) -> tuple[int, int]:
    """Give how many served balances the service has audited, and how many were wrong."""
    try:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
            session.get(f"{url}/metrics") as response,
        ):
            text = await response.text()
    except (aiohttp.ClientError, OSError) as error:
        raise MetricsUnread(f"/metrics could not be read: {error}") from error
    return value(text, AUDITED), value(text, MISMATCHES)


def value(text: str, name: str) -> int:
    """Give a counter without labels out of a text in Prometheus' format."""
    for line in text.splitlines():
        metric, _, number = line.partition(" ")
        if metric == name:
            return int(float(number))
    raise MetricsUnread(f"/metrics does not tell {name}")


def check_auditor(mismatches: int) -> list[Breach]:
    """The service's own auditor found nothing."""
    if not mismatches:
        return []
    says = f"the service's auditor found {mismatches} served balances that the ledger does not have"
    return [Breach("audit_mismatch", says)]
