"""The house is in order: what files say about each other is true."""

from __future__ import annotations

import ast
import dataclasses
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service.__main__ import main
from service.misnamed import PREFIX, misnamed
from service.settings import Settings

REPO = Path(__file__).parents[2]
DB = REPO / "db"
PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").glob("*.md")])
FUNCTION_FILES = sorted((DB / "functions").rglob("*/*.sql"))
TEXT = {".py", ".sql", ".md", ".toml", ".yml", ".sh", ""}

_FUNCTION = re.compile(r"^\s*create (?:or replace )?function (\w+)\.(\w+)\(", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_TOP = "db|docs|docker|service|loadgen|tests|bench|.ci"
_PATH = re.compile(
    rf"(?:{_TOP})/[\w./*-]*\w[/*]?|[A-Z][\w-]*\.md|Makefile|Dockerfile|docker-compose\.yml"
)


def named(path: Path) -> str:
    return str(path.relative_to(REPO))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def our_files() -> list[Path]:
    """What git has, or would have; the whole tree where there is no git."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [REPO / name for name in done.stdout.split("\0") if name]
    if done.returncode != 0:  # no git, or another user's clone
        tops = [path for path in REPO.iterdir() if not path.name.startswith(".")]
        found = [path for top in tops for path in (top, *top.rglob("*"))]
    return [path for path in found if path.suffix in TEXT and path.is_file()]


# -- Makefile ------------------------------------------------------------------------------------


def targets() -> dict[str, str | None]:
    """Each target that is a command, with its comment."""
    phony = re.search(r"^\.PHONY: (.+)$", read(REPO / "Makefile"), re.MULTILINE)
    assert phony is not None
    comments = re.findall(
        r"^([a-z][a-z-]*):[^=\n]*?(?:## (.+))?$", read(REPO / "Makefile"), re.MULTILINE
    )
    assert sorted(phony[1].split()) == sorted(name for name, _ in comments)
    return {name: comment or None for name, comment in comments}


def test_every_make_target_says_what_it_does() -> None:
    assert "up" in targets()
    assert [name for name, comment in targets().items() if not comment] == []


def test_make_help_lists_every_target() -> None:
    if shutil.which("make") is None:
        pytest.skip("no make here")
    said = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert re.findall(r"make ([\w-]+)", said) == list(targets())


# -- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_make_targets_named_on_a_page_exist(page: Path) -> None:
    code = " ; ".join(_QUOTED.findall(read(page))) + "\n" + _indented(page)
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code)) - set(targets()) == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_named_on_a_page_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = " ; ".join(_QUOTED.findall(read(page))) + "\n" + _indented(page)
    for command in set(re.findall(r"(?<![\w/.-])payledger ([a-z]+)", code)):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"] if command != "psql" else ["--help"])
        assert ended.value.code == 0, command
        assert command in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_functions_named_on_a_page_exist(page: Path) -> None:
    text = read(page)
    known = {path.stem for path in FUNCTION_FILES}
    for path in (DB / "migrations").glob("*.sql"):
        known |= set(
            re.findall(r"create (?:table|type|domain) (?:ledger|ledger_private)\.(\w+)", read(path))
        )
    # The runner's own tables.
    known |= {"schema_migrations", "function_files"}
    assert set(re.findall(r"\bledger(?:_private)?\.([a-z]\w+)", text)) - known == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(read(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in {_anchor(heading) for heading in _HEADING.findall(read(linked))}, (
                target
            )


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_named_on_a_page_exist(page: Path) -> None:
    made_by_commands = {"bench/results/latest.json"}
    for quoted in _QUOTED.findall(read(page)):
        for name in _PATH.findall(quoted):
            if name in made_by_commands or "NNNN" in name or "NAME" in name:
                continue
            found = list(REPO.glob(name.rstrip("/"))) or list(page.parent.glob(name))
            assert found, f"{page.name}: {name}"


def test_the_readme_lists_every_function_for_callers() -> None:
    listed = set(_QUOTED.findall(read(REPO / "README.md").partition("\n## SQL\n")[2]))
    names = {re.match(r"\w+", name)[0] for name in listed if re.match(r"\w+", name)}  # type: ignore[index]
    assert {path.stem for path in (DB / "functions" / "20_api").glob("*.sql")} - names == set()


def test_the_operations_page_lists_every_setting() -> None:
    text = read(REPO / "docs" / "operations.md")
    variables = [f"{PREFIX}{field.name.upper()}" for field in dataclasses.fields(Settings)]
    assert [name for name in variables if f"`{name}`" not in text] == []


def test_no_variable_that_is_named_anywhere_is_taken_for_a_mistyped_one() -> None:
    files = [path for path in our_files() if path.name != "test_settings.py"]
    files += [REPO / "Makefile", REPO / "Dockerfile", REPO / "docker-compose.yml"]
    named = {name for path in files for name in re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", read(path))}
    settings = [field.name.upper() for field in dataclasses.fields(Settings)]
    assert f"{PREFIX}VALKEY_BIN" in named
    assert misnamed(dict.fromkeys(named, "x"), settings) == []


def _indented(page: Path) -> str:
    """Code of a page: blocks that are indented or fenced."""
    text = read(page)
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*fenced, *re.findall(r"^    .+$", text, re.MULTILINE)])


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# -- SQL -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FUNCTION_FILES, ids=named)
def test_a_function_file_defines_the_function_its_name_says(path: Path) -> None:
    schema = "ledger" if path.parent.name == "20_api" else "ledger_private"
    assert set(_FUNCTION.findall(read(path))) == {(schema, path.stem)}


@pytest.mark.parametrize(
    "path", [path for path in FUNCTION_FILES if path.parent.name == "20_api"], ids=named
)
def test_a_function_for_callers_has_a_comment(path: Path) -> None:
    text = read(path)
    assert re.search(rf"^comment on function ledger\.{path.stem}\b.* is\s+'", text, re.MULTILINE)


@pytest.mark.parametrize("path", sorted((DB / "migrations").glob("*.sql")), ids=named)
def test_a_migration_holds_no_function(path: Path) -> None:
    assert not re.search(r"create (or replace )?(function|procedure)", read(path), re.IGNORECASE)


@pytest.mark.parametrize("folder", ["migrations", "functions"])
def test_sql_has_100_columns(folder: str) -> None:
    lines = [
        f"{named(path)}:{number}"
        for path in sorted((DB / folder).rglob("*.sql"))
        for number, line in enumerate(read(path).splitlines(), 1)
        if len(line) > 100
    ]
    assert lines == []


# -- the whole tree ------------------------------------------------------------------------------


def test_nothing_is_left_to_be_done() -> None:
    marks = re.compile("TO" + "DO|FIX" + "ME")
    of_tap_itself = {"tests/support/tap.py", "tests/unit/test_tap.py"}  # a directive of TAP
    found = {named(path) for path in our_files() if marks.search(read(path))}
    assert found - of_tap_itself == set()


def test_the_license_is_apache_2() -> None:
    text = read(REPO / "LICENSE")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert project()["license"] == "Apache-2.0"


def test_ci_runs_the_checks_and_all_tests() -> None:
    lines = read(REPO / ".ci" / "run").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    # The test runner's closing line has to be the last.
    commands = [line.partition(" #")[0] for line in lines if line.startswith("make ")]
    assert commands == ["make check", "make mutants SAMPLE=5", "make test"]
    assert lines[-1] == "make test"
    assert subprocess.run(["bash", "-n", ".ci/run"], cwd=REPO, check=False).returncode == 0


# -- dependencies --------------------------------------------------------------------------------


def project() -> dict[str, object]:
    document: dict[str, object] = tomllib.loads(read(REPO / "pyproject.toml"))["project"]
    return document


def ranges() -> list[Requirement]:
    """Every dependency of the project, its extras included."""
    document = tomllib.loads(read(REPO / "pyproject.toml"))["project"]
    extras = document["optional-dependencies"].values()
    texts = [*document["dependencies"], *(text for extra in extras for text in extra)]
    found = [Requirement(text) for text in texts]
    return [requirement for requirement in found if requirement.name != "payledger"]


def locked() -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", read(REPO / "requirements.lock"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize("requirement", ranges(), ids=lambda requirement: str(requirement.name))
def test_a_locked_version_is_in_its_range(requirement: Requirement) -> None:
    version = locked()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version), version
    # A range has two ends: the next major version is tried, not received.
    assert {spec.operator for spec in requirement.specifier} == {">=", "<"}


def test_every_locked_file_has_its_hash() -> None:
    entries = re.split(r"^(?=[\w.-]+==)", read(REPO / "requirements.lock"), flags=re.MULTILINE)
    assert [entry.partition("=")[0] for entry in entries if entry and "--hash=" not in entry] == []


# -- imports -------------------------------------------------------------------------------------


# One line for each rule, and the module that must not have it.
FORBIDDEN = {
    "Imports point down": ("service/ledger/poster/calls.py", "from service.api import answers"),
    "Only commands know that PostgreSQL may be our own": (
        "service/database/sessions.py",
        "from service.embedded import EmbeddedError",
    ),
    "HTTP is spoken by the API, and where the server is run": (
        "service/ledger/poster/calls.py",
        "import aiohttp",
    ),
    "SQL is spoken by the database and ledger packages": (
        "service/api/health.py",
        "import asyncpg",
    ),
    "Redis is spoken by one module": ("service/api/health.py", "import redis"),
    "The load generator and the service know each other by HTTP and SQL alone": (
        "loadgen/wire.py",
        "from service import errors",
    ),
}


def test_every_import_rule_notices_when_it_is_broken(tmp_path: Path) -> None:
    for package in ("service", "loadgen"):
        shutil.copytree(
            REPO / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(REPO / "pyproject.toml", tmp_path)
    assert kept(tmp_path) == dict.fromkeys(FORBIDDEN, True)

    for module, line in FORBIDDEN.values():
        with (tmp_path / module).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    assert kept(tmp_path) == dict.fromkeys(FORBIDDEN, False)


def kept(folder: Path) -> dict[str, bool]:
    """What import-linter says of each rule, for the packages in the folder."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    verdicts = re.findall(r"^(.+) (KEPT|BROKEN)$", done.stdout, re.MULTILINE)
    assert verdicts, done.stdout + done.stderr
    return {name: verdict == "KEPT" for name, verdict in verdicts}


def test_no_module_only_forwards() -> None:
    """A module that imports and defines nothing is a detour; a package may say what it offers."""
    for package in ("service", "loadgen"):
        for path in (REPO / package).rglob("*.py"):
            body = ast.parse(read(path)).body
            if path.name != "__init__.py":
                assert any(
                    not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr) for node in body
                ), named(path)
