"""Prints the part of requirements.lock that the service needs, hashes and all.

The lock file is of the whole project. An image needs neither its tools nor the embedded servers,
but the same versions, checked the same way. Runs beside pyproject.toml and requirements.lock.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

_NAME = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def main() -> None:
    """Resolves the project's dependencies within the locked versions."""
    here = Path(__file__).parent
    lock = (here / "requirements.lock").read_text(encoding="utf-8")
    project = tomllib.loads((here / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sys.stdout.write(select(lock, resolve(project["dependencies"], lock)))


def entries(lock: str) -> dict[str, str]:
    """The lock file's entries by normalised name, each with its marker and its hashes."""
    starts = [match.start() for match in _NAME.finditer(lock)]
    texts = [lock[a:b] for a, b in zip(starts, [*starts[1:], len(lock)], strict=True)]
    return {_normalise(text.partition("==")[0]): text for text in texts}


def select(lock: str, names: set[str]) -> str:
    """The entries of these packages; KeyError when one is not locked."""
    locked = entries(lock)
    return "".join(locked[name] for name in sorted(names))


def resolve(dependencies: list[str], lock: str) -> set[str]:
    """The names of what pip would install for them here, at the locked versions."""
    with tempfile.TemporaryDirectory() as folder:
        versions, report = Path(folder, "versions.txt"), Path(folder, "report.json")
        firsts = [text.partition("\\")[0].strip() for text in entries(lock).values()]
        versions.write_text("\n".join(firsts) + "\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        pip += ["--only-binary", ":all:", "--constraint", str(versions), "--report", str(report)]
        subprocess.run([*pip, *dependencies], check=True, stdout=sys.stderr)  # noqa: S603 - no shell
        document = json.loads(report.read_text(encoding="utf-8"))
    return {_normalise(item["metadata"]["name"]) for item in document["install"]}


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
