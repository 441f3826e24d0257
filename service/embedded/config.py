"""The server's settings: sensible for a ledger on a small machine, durable by default."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from service.embedded.errors import EmbeddedError

MIB = 1024 * 1024
LARGEST_SHARED_BUFFERS = 2048 * MIB
SMALLEST_SHARED_BUFFERS = 128 * MIB
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
# Those the supervisor has to know itself; they go on the command line, where nothing beats them.
OWN = ("port", "listen_addresses", "unix_socket_directories", "data_directory")


def default_settings(memory: int | None = None) -> dict[str, str]:
    """The settings of a new cluster on a machine with `memory` bytes."""
    eighth = (memory if memory is not None else machine_memory()) // 8
    shared_buffers = max(SMALLEST_SHARED_BUFFERS, min(LARGEST_SHARED_BUFFERS, eighth))
    return {
        # acknowledged means durable
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "wal_level": "replica",
        # room for many small commits without a checkpoint in between
        "shared_buffers": f"{shared_buffers // MIB}MB",
        "max_wal_size": "4GB",
        "min_wal_size": "256MB",
        "checkpoint_timeout": "15min",
        "max_connections": "200",
        "max_locks_per_transaction": "128",  # a dozen partitions, each with its indexes
        "random_page_cost": "1.1",
        "jit": "off",  # short statements only lose by it
        "autovacuum": "on",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "unix_socket_permissions": "0700",
    }


def machine_memory() -> int:
    """Bytes that we may use: the machine's, or the container's when it has less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in CGROUP_LIMITS:
        if path.exists() and (text := path.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)


def render(settings: Mapping[str, str]) -> str:
    """A configuration file with these settings."""
    lines = ["# Written by payledger at each start. ALTER SYSTEM overrides it."]
    for name, value in settings.items():
        if not re.fullmatch(r"[a-z_][a-z0-9_.]*", name, re.IGNORECASE) or "\n" in value:
            raise EmbeddedError(f"PostgreSQL has no setting {name!r} with the value {value!r}")
        if name.lower() in OWN:
            raise EmbeddedError(f"the setting {name} is the supervisor's own")
        quoted = value.replace("\\", "\\\\").replace("'", "''")
        lines.append(f"{name} = '{quoted}'")
    return "\n".join(lines) + "\n"
