"""`docker compose` with docker-compose.yml, and with no settings but those given here."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from support.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

REPO = Path(__file__).parents[2]
PASSWORDS = ("POSTGRES_PASSWORD", "PAYLEDGER_MIGRATOR_PASSWORD", "PAYLEDGER_SERVICE_PASSWORD")
_START_SECONDS = 900.0  # the first time, base images and wheels come over the network


def docker(
    *arguments: str, seconds: float = 60, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Of the tests' own environment it knows only where the engine is."""
    known = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "SSH_AUTH_SOCK") or name.startswith("DOCKER_")
    }
    return subprocess.run(
        ["docker", *arguments],
        cwd=REPO,
        env=known | dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def compose(
    *arguments: str, seconds: float = 60, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """An .env file beside docker-compose.yml, somebody's own, is not read."""
    words = ("compose", "--env-file", os.devnull, *arguments)
    return docker(*words, seconds=seconds, environment=environment)


def compose_problem() -> str | None:
    """Why there is no `docker compose`; None: there is."""
    if shutil.which("docker") is None or compose("version").returncode != 0:
        return "no `docker compose` here"
    return None


def engine_problem() -> str | None:
    """Why nothing can be started; None: nothing is in the way."""
    if problem := compose_problem():
        return problem
    done = docker("version", "--format", "{{.Server.Version}}")
    return f"no Docker engine answers ({done.stderr.strip()})" if done.returncode else None


class Stack:
    """All services of the file, Valkey too, in a project and on a port of their own.

    Their images have names of their own as well: where the file's names come to mean other images,
    the next `docker compose` makes somebody's running containers anew.
    """

    def __init__(self, directory: Path) -> None:
        self.key = ""
        self._port = 0
        self._project = f"payledger-test-{secrets.token_hex(4)}"
        self._images = {name: f"{self._project}-{name}" for name in ("payledger", "postgres")}
        service, postgres = ({"image": image} for image in self._images.values())
        images = {"services": {"postgres": postgres, "migrate": service, "service": service}}
        self._override = directory / "images.yml"
        self._override.write_text(json.dumps(images), encoding="utf-8")
        self._environment = {name: secrets.token_hex(24) for name in PASSWORDS} | {
            "COMPOSE_PROFILES": "cache",
            "PAYLEDGER_REDIS_URL": "redis://valkey:6379/0",
            "PAYLEDGER_WORKERS": "2",
            "PAYLEDGER_PORT": "0",  # a free one
        }

    def compose(self, *arguments: str, seconds: float = 60) -> str:
        """What it printed; an AssertionError when it failed."""
        files = ("--file", "docker-compose.yml", "--file", str(self._override))
        words = ("--project-name", self._project, *files, *arguments)
        done = compose(*words, seconds=seconds, environment=self._environment)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def start(self) -> None:
        """As docs/operations.md says."""
        words = ("up", "--build", "--detach", "--wait", "service")
        self.compose(*words, seconds=_START_SECONDS)
        self._port = int(self.compose("port", "service", "8080").rpartition(":")[2])

    def down(self) -> None:
        """Everything goes but what builds keep for the next one."""
        self.compose("down", "--volumes", "--remove-orphans", seconds=240)
        docker("image", "rm", *self._images.values())  # what of it was built

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine says about the service's container."""
        container = self.compose("ps", "--all", "--quiet", service).strip()
        done = docker("inspect", container)
        assert done.returncode == 0, f"{service}: {done.stderr}"
        (found,) = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    def state(self, service: str) -> tuple[str, str | None, int]:
        """Status, health and exit status."""
        state = self.inspect(service)["State"]
        return state["Status"], state.get("Health", {}).get("Status"), state["ExitCode"]

    def kill(self, service: str) -> None:
        """SIGKILL to its first process. After `docker kill` the engine would not start it again."""
        container = self.inspect(service)
        words = ("run", "--rm", "--network=none", "--pid=host", "--user=0", "--entrypoint=bash")
        pid = str(container["State"]["Pid"])
        done = docker(*words, container["Image"], "-c", f"kill -KILL {pid}")
        assert done.returncode == 0, done.stderr

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own: with luck, another worker answers."""
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if body is not None:
            sent["Content-Type"] = "application/json"
        con = HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            text = None if body is None else json.dumps(body)
            con.request(method, path, body=text, headers=sent | dict(headers or {}))
            response = con.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            con.close()
