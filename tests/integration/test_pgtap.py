"""Runs db/tests: every file there is a test here, on every server."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from support import pgtap, tap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.servers import Server

DB = Path(__file__).parents[2] / "db"
FILES = sorted(
    path.relative_to(DB / "tests")
    for path in (DB / "tests").rglob("*.sql")
    if not path.name.startswith("_")
)


@pytest.fixture(scope="module")
def tap_database(server: Server) -> Iterator[str]:
    """One database for all files: each takes back what it did."""
    template = pgtap.make_template(server)
    yield template
    server.postgres.drop_database(template)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_tap_test_passes(server: Server, tap_database: str, file: Path) -> None:
    done = run_file(server, tap_database, DB / "tests" / file)
    problems = tap.problems(done.stdout)
    if done.stderr or done.returncode:
        problems += [f"psql ended with {done.returncode}:", done.stderr.strip()]
    assert not problems, "\n" + "\n".join(problems)


def test_a_failing_file_fails(server: Server, tap_database: str, tmp_path: Path) -> None:
    """What each of these does must not pass unseen."""
    file = tmp_path / "failing.sql"
    for body in (
        "select plan(1); select ok(false, 'false'); select * from finish();",
        "select plan(2); select ok(true, 'one short'); select * from finish();",
        "select plan(1); select ok(true, 'an error after it'); select 1 / 0;",
        "select plan(1); select ok(true, 'a notice'); do 'begin raise warning ''hm''; end';",
    ):
        file.write_text(f"begin;\n{body}\nrollback;\n")
        done = run_file(server, tap_database, file)
        assert tap.problems(done.stdout) or done.stderr, body


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_takes_back_what_it_did(file: Path) -> None:
    lines = (DB / "tests" / file).read_text(encoding="utf-8").strip().splitlines()
    commands = [line for line in lines if line and not line.startswith("--")]
    assert commands[0] == "begin;"
    assert commands[-2:] == ["select * from finish();", "rollback;"]
    assert not any(line.startswith(("commit", "\\")) for line in commands)


def test_every_function_has_its_tests() -> None:
    functions = {path.relative_to(DB / "functions") for path in (DB / "functions").rglob("*/*.sql")}
    assert functions - set(FILES) == set()


def test_every_code_of_the_catalogue_is_met_in_a_test() -> None:
    """By its name or by its SQLSTATE."""
    migrations = (DB / "migrations").glob("*.sql")
    catalogue = "".join(path.read_text(encoding="utf-8") for path in migrations)
    codes = re.findall(r"\(\d{3}, '(\w+)', '\w+', '(LG\d{3})'", catalogue)
    assert len(codes) > 40
    paths = [*(DB / "tests").rglob("*.sql"), *(DB.parent / "tests" / "concurrency").glob("*.py")]
    tests = "".join(path.read_text(encoding="utf-8") for path in paths)
    assert [code for code, state in codes if code not in tests and state not in tests] == []


def run_file(server: Server, database: str, file: Path) -> subprocess.CompletedProcess[str]:
    """psql's run of one file, as the superuser, with pgTAP and the helpers on the search path."""
    dsn = urlsplit(server.dsn("postgres", database))
    return subprocess.run(
        [server.psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", file],
        capture_output=True,
        encoding="utf-8",
        env={
            "PGHOST": str(dsn.hostname),
            "PGPORT": str(dsn.port),
            "PGUSER": str(dsn.username),
            "PGPASSWORD": str(dsn.password),
            "PGDATABASE": database,
            "PGCLIENTENCODING": "UTF8",
            "PGOPTIONS": "-c search_path=tests,tap -c client_min_messages=warning",
            "LC_ALL": "C",
        },
        timeout=60,
        check=False,
    )
