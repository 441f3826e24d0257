"""A standby, made of a running server by pg_basebackup, and following it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from service.embedded import EmbeddedPostgres, create
from support.servers import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def standby_of(primary: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """Beside the primary's directory; with its passwords, so its DSNs are made as usual."""
    state = Path(os.path.realpath(primary.state.path)).parent / "standby"
    postgres = EmbeddedPostgres(state, bin_dir=primary.binaries.bin_dir, settings=SETTINGS)
    postgres.state.make()
    for user in (create.SUPERUSER, *create.LOGINS):
        postgres.state.write(f"passwords/{user}", primary.state.password(user))
    postgres.state.write("prepared", "by the primary\n")
    identity = postgres.state.identity()
    postgres.state.make_server_dir(identity)
    identity.run(
        [
            primary.binaries.bin_dir / "pg_basebackup",
            f"--dbname={primary.dsn('postgres', 'postgres')}",
            f"--pgdata={postgres.data_dir}",
            "--write-recovery-conf",
            "--checkpoint=fast",
        ],
        env=create.environment(primary.binaries.bin_dir),
    )
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.stop("immediate")
        postgres.remove_data()
