"""A PostgreSQL of our own, for a machine that has none."""

from service.embedded.binaries import PostgresBinaries, find_postgres, find_valkey, list_postgres
from service.embedded.errors import EmbeddedError
from service.embedded.postgres import EmbeddedPostgres

__all__ = [
    "EmbeddedError",
    "EmbeddedPostgres",
    "PostgresBinaries",
    "find_postgres",
    "find_valkey",
    "list_postgres",
]
