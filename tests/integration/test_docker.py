"""The container files: what they say always, and what Docker makes of them where it is."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml  # type: ignore[import-untyped]
from embedded_support import each_server
from support.compose import PASSWORDS, compose, compose_problem

from service.database.migrations import migrate
from service.embedded import EmbeddedPostgres
from service.embedded.psql import find_psql

REPO = Path(__file__).parents[2]
MADE_UP = dict.fromkeys(PASSWORDS, "made-up")
_PINNED = re.compile(r"[a-z0-9./-]+:\d+[a-z0-9.-]*")
_VARIABLE = re.compile(r"\$\{(\w+)(:\?|:-)?")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document = yaml.safe_load((REPO / "docker-compose.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["services"]
    assert set(found) == {"postgres", "migrate", "service", "valkey"}
    return found


def one_shot(service: dict[str, Any]) -> bool:
    return bool(service.get("restart") == "no")


def test_every_service_has_a_healthcheck_or_runs_once(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if one_shot(service)] == ["migrate"]
    for name, service in services.items():
        if one_shot(service):  # or it had its image's, which asks the service
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["healthcheck"]["test"][0] == "CMD", name


def test_nothing_starts_before_what_it_needs_is_ready(services: dict[str, Any]) -> None:
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            done = one_shot(services[needed])
            assert how["condition"] == (
                "service_completed_successfully" if done else "service_healthy"
            )
            assert how.get("required", True) is not ("profiles" in services[needed])
    assert set(services["service"]["depends_on"]) == {"postgres", "migrate", "valkey"}


def test_no_image_is_built_twice_and_the_service_brings_along_who_builds(
    services: dict[str, Any],
) -> None:
    built = [service["image"] for service in services.values() if "build" in service]
    assert sorted(built) == ["payledger-postgres:18", "payledger:0.1"]
    assert services["service"]["image"] == services["migrate"]["image"] == "payledger:0.1"
    assert "build" in services["migrate"]
    assert services["service"]["pull_policy"] == "never"


def test_no_password_is_written_down_or_has_a_default(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name:
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name
            if "DSN" in name:
                assert re.search(r"://\w+:\$\{\w+:\?[^}]+\}@", value), name
    text = (REPO / "docker-compose.yml").read_text(encoding="utf-8")
    used = _VARIABLE.findall(text)
    assert {name for name, how in used if how == ":?"} == set(PASSWORDS)
    assert {name for name, how in used if how != ":?"} == {
        "PAYLEDGER_PORT",
        "PAYLEDGER_REDIS_URL",
        "PAYLEDGER_WORKERS",
    }


def test_the_logins_have_no_more_than_they_need(services: dict[str, Any]) -> None:
    assert "payledger_service:" in services["service"]["environment"]["PAYLEDGER_DSN"]
    assert set(services["service"]["environment"]) == {
        "PAYLEDGER_DSN",
        "PAYLEDGER_REDIS_URL",
        "PAYLEDGER_WORKERS",
    }
    assert set(services["migrate"]["environment"]) == {"PAYLEDGER_MIGRATE_DSN"}


def test_images_are_pinned_to_a_major_version(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values()]
    for path in ("Dockerfile", "docker/postgres/Dockerfile"):
        text = (REPO / path).read_text(encoding="utf-8")
        images += re.findall(r"^ARG \w+_IMAGE=(\S+)$", text, re.MULTILINE)
        assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) < {
            "${PYTHON_IMAGE}",
            "${POSTGRES_IMAGE}",
        }
    assert len(images) == 6
    for image in images:
        assert _PINNED.fullmatch(image), image


def test_ports_are_open_to_this_machine_only(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:${PAYLEDGER_PORT:-8080}:8080"]


def test_the_service_runs_without_rights_it_does_not_need(services: dict[str, Any]) -> None:
    for name in ("migrate", "service"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
    users = re.findall(r"^USER (\S+)$", (REPO / "Dockerfile").read_text(), re.MULTILINE)
    assert users == ["10001"]


def test_the_image_copies_what_is_there_and_what_is_let_through() -> None:
    ignored = (REPO / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = [line[1:] for line in ignored if line.startswith("!")]
    assert "*" in ignored
    copied = []
    for line in (REPO / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied += line.split()[1:-1]
    assert sorted(copied) == sorted(let_through)
    for path in copied:
        assert (REPO / path).exists(), path


def test_the_image_gets_the_locked_versions_it_needs_and_no_others() -> None:
    spec = importlib.util.spec_from_file_location("pinned", REPO / "docker" / "pinned.py")
    assert spec is not None
    assert spec.loader is not None
    pinned = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pinned)
    lock = (REPO / "requirements.lock").read_text(encoding="utf-8")

    text = pinned.select(lock, {"uvloop", "aiohttp", "typing-extensions"})

    assert re.findall(r"^\S+?(?===)", text, re.MULTILINE) == [
        "aiohttp",
        "typing-extensions",
        "uvloop",
    ]
    assert text.count("--hash=sha256:") > 3
    assert "; platform_python_implementation == 'CPython'" in text
    with pytest.raises(KeyError):
        pinned.select(lock, {"never-heard-of"})


@pytest.fixture(scope="module", params=each_server())
def bare(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    """A server as the image starts one: a superuser, and nothing of ours."""
    root = Path(tempfile.mkdtemp(prefix="payledger-docker-"))
    root.chmod(0o711)  # the server's user isn't root
    postgres = EmbeddedPostgres(
        root / "state", bin_dir=request.param.bin_dir, settings={"shared_buffers": "64MB"}
    )
    try:
        postgres.start()
        postgres.run_sql("drop database payledger;")
        postgres.run_sql("drop role payledger_migrator, payledger_service;")
        yield postgres
    finally:
        postgres.stop("immediate")
        postgres.remove_data()
        postgres.state.drop_socket_dir()
        shutil.rmtree(root)


def run_logins(postgres: EmbeddedPostgres, **passwords: str) -> subprocess.CompletedProcess[str]:
    """docker/postgres/logins.sql, the way the image's entrypoint runs it."""
    return subprocess.run(
        [
            find_psql(postgres.binaries.bin_dir),
            *(
                "-v",
                "ON_ERROR_STOP=1",
                "--no-psqlrc",
                "--dbname",
                postgres.dsn("postgres", "postgres"),
            ),
            *("-f", REPO / "docker" / "postgres" / "logins.sql"),
        ],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"} | passwords,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_logins_without_passwords_are_not_made(bare: EmbeddedPostgres) -> None:
    done = run_logins(bare, PAYLEDGER_MIGRATOR_PASSWORD="x")
    assert done.returncode == 3
    assert "PAYLEDGER_SERVICE_PASSWORD is not set" in done.stderr
    assert bare.run_sql("select count(*) from pg_roles where rolname like 'payledger%'") == "0"


def test_the_logins_install_and_post_and_the_installation_is_sound(bare: EmbeddedPostgres) -> None:
    def dsn(user: str, password: str) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{bare.port}/payledger"

    for migrator, service in (("first", "second"), ("it's%", "n w")):  # twice: passwords change
        done = run_logins(
            bare, PAYLEDGER_MIGRATOR_PASSWORD=migrator, PAYLEDGER_SERVICE_PASSWORD=service
        )
        assert done.returncode == 0, done.stderr

    async def use() -> list[Any]:
        report = await migrate(dsn("payledger_migrator", "it%27s%25"))
        assert report.changed
        assert report.warnings == ()
        con = await asyncpg.connect(dsn("payledger_service", "n%20w"))
        try:
            for code in ("a", "b"):
                await con.execute(
                    "select ledger.create_account($1, 'USD', p_min_balance => null)", code
                )
            outcome = await con.fetchval(
                "select outcome from ledger.post_payment('k', 'a', 'b', 1, 'USD')"
            )
            assert outcome == "posted"
            assert await con.fetchval("show statement_timeout") == "30s"
            assert await con.fetchval("show lock_timeout") == "5s"
            assert await con.fetchval("show idle_in_transaction_session_timeout") == "10s"
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await con.execute("select * from ledger.accounts")
            return await con.fetch("select * from ledger.check_installation()")
        finally:
            await con.close()

    assert asyncio.run(use()) == []


@pytest.fixture
def _compose_answers() -> None:
    if problem := compose_problem():
        pytest.skip(f"{problem}; the file's structure is checked without it")


@pytest.mark.usefixtures("_compose_answers")
def test_docker_compose_takes_the_file() -> None:
    done = compose("--profile", "cache", "config", environment=MADE_UP)
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == {
        "postgres",
        "migrate",
        "service",
        "valkey",
    }


@pytest.mark.usefixtures("_compose_answers")
@pytest.mark.parametrize("missing", sorted(PASSWORDS))
def test_docker_compose_refuses_to_start_without_a_password(missing: str) -> None:
    others = {name: password for name, password in MADE_UP.items() if name != missing}
    done = compose("config", environment=others)
    assert done.returncode != 0
    assert missing in done.stderr


def test_the_healthcheck_of_the_service_is_the_one_of_its_image(services: dict[str, Any]) -> None:
    (line,) = re.findall(
        r'^  CMD \["python", "-c", "(.*)"\]$', (REPO / "Dockerfile").read_text(), re.MULTILINE
    )
    assert services["service"]["healthcheck"]["test"] == ["CMD", "python", "-c", line]


@pytest.mark.parametrize(("status", "exit_status"), [(200, 0), (503, 1)])
def test_the_healthcheck_tells_ready_from_not_ready(
    services: dict[str, Any], status: int, exit_status: int
) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    program = services["service"]["healthcheck"]["test"][-1]
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        done = subprocess.run(
            [sys.executable, "-c", program.replace("8080", str(server.server_port))],
            capture_output=True,
            timeout=30,
            check=False,
        )
        thread.join()
    assert done.returncode == exit_status
