"""Two services that know each other through the database alone, as on two machines."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from cli_support import Home, Up, new_home, post, psql
from embedded_support import REPO
from http_support import until
from prometheus_client.parser import text_string_to_metric_families

from service.embedded.processes import PROC, is_alive, parent_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Served:
    """`payledger serve` with a state directory of its own."""

    def __init__(self, folder: Path, dsn: str, *options: str) -> None:
        clean = {n: v for n, v in os.environ.items() if not n.startswith(("PG", "PAYLEDGER_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", *options],
            cwd=folder,
            env=clean | {"PYTHONPATH": str(REPO), "PAYLEDGER_PORT": "0", "PAYLEDGER_DSN": dsn},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]

    def end(self) -> int:
        self.process.terminate()
        status = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.fixture
def up() -> Iterator[Up]:
    with new_home() as home:
        yield home.up("--workers", "2")


@pytest.fixture
def second(up: Up, tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path, up.running["dsn"], "--workers", "2")
    yield served
    served.end()


async def leaders(*urls: str) -> list[str]:
    """Who says that it is the relay: the URL of each process, with its worker's number."""
    found = []
    async with aiohttp.ClientSession() as client:
        for url in urls:
            async with client.get(f"{url}/metrics") as answer:
                text = await answer.text()
            found += [
                f"{url} {sample.labels['worker']}"
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name == "payledger_relay_leading" and sample.value
            ]
    return found


async def balance(url: str, key: str, query: str = "") -> tuple[str, str]:
    """Of `alice`: the balance and where it came from."""
    async with (
        aiohttp.ClientSession() as client,
        client.get(
            f"{url}/v1/ledgers/main/accounts/alice/balance{query}",
            headers={"Authorization": f"Bearer {key}"},
        ) as answer,
    ):
        assert answer.status == 200, await answer.text()
        document: dict[str, Any] = await answer.json()
        return document["balance"], answer.headers["Payledger-Source"]


def workers_of(parent: int) -> list[int]:
    """By their numbers: they are started in this order."""
    children = [
        int(entry.name)
        for entry in PROC.iterdir()
        if entry.name.isdigit() and parent_of(int(entry.name)) == parent
    ]
    return sorted(
        pid
        for pid in children
        if b"commands.worker" in (PROC / str(pid) / "cmdline").read_bytes() and is_alive(pid)
    )


async def test_four_processes_of_two_services_have_one_relay_and_another_when_it_dies(
    up: Up, second: Served
) -> None:
    home: Home = up.home
    urls = (up.running["url"], second.url)
    key = (home.state / "dev-key").read_text().strip()
    for code in ("bank", "alice"):
        body = {"code": code, "currency": "USD", "min_balance": None}
        assert (await post(up, "accounts", body))[0] == 201

    async def one_leads() -> list[str] | None:
        # A process tells its state once a second: for that long two may seem to lead.
        found = await leaders(*urls)
        return found if len(found) == 1 else None

    async def all_near() -> bool:
        answers = [await balance(url, key) for url in urls for _ in range(8)]
        return all(source == "l1" for _, source in answers)

    paid = 0

    async def pay_in_psql_and_see() -> None:
        nonlocal paid
        paid += 1
        sql = f"select outcome from ledger.post_payment('k{paid}', 'bank', 'alice', 5, 'USD')"
        assert await asyncio.to_thread(psql, home, sql) == "posted"

        async def seen() -> bool:
            answers = [await balance(url, key) for url in urls for _ in range(8)]
            return {amount for amount, _ in answers} == {str(5 * paid)}

        await until(seen, "all processes have the payment")

    await until(all_near, "all processes answer from memory")
    (leader,) = await until(one_leads, "one of the four leads")
    await pay_in_psql_and_see()

    url, number = leader.split()
    parent = up.process.pid if url == up.running["url"] else second.process.pid
    os.kill(workers_of(parent)[int(number) - 1], signal.SIGKILL)
    await pay_in_psql_and_see()
    await until(all_near, "all processes answer from memory again")
    await until(one_leads, "one leads again")
    await pay_in_psql_and_see()

    # The one that is left when a whole service has ended.
    assert second.end() == 0
    urls = (up.running["url"],)
    (leader,) = await until(one_leads, "one of the two leads")
    assert leader.startswith(up.running["url"])
    await pay_in_psql_and_see()
    assert up.end() == 0
