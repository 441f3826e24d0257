"""Runs SQL through the psql program: needs no driver and no event loop."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from service.embedded.errors import EmbeddedError


def run_psql(
    psql: Path, connection: Mapping[str, str], sql: str, variables: Mapping[str, str]
) -> str:
    """The unaligned output without headings; EmbeddedError at the first statement that fails."""
    # psql reads the variables from its input, where no process list shows them
    sets = [f"\\set {name} {_literal(value)}" for name, value in variables.items()]
    done = subprocess.run(
        [psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"],
        input="\n".join([*sets, sql]) + "\n",
        capture_output=True,
        encoding="utf-8",
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "PGCLIENTENCODING": "UTF8",
            **connection,
        },
        check=False,
    )
    if done.returncode != 0:
        raise EmbeddedError(f"psql failed ({done.returncode}): {done.stderr.strip()}")
    return done.stdout.removesuffix("\n")


def find_psql(bin_dir: Path) -> Path:
    """The psql beside the server, else one on the PATH."""
    if (bin_dir / "psql").exists():
        return bin_dir / "psql"
    if found := shutil.which("psql"):
        return Path(found)
    raise EmbeddedError(f"no psql in {bin_dir} nor on the PATH: install PostgreSQL's client")


def _literal(value: str) -> str:
    """A psql argument in quotes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
