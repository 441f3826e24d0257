"""A PostgreSQL and a Valkey of our own, for a machine that has none."""

from service.embedded.binaries import PostgresBinaries, find_postgres, find_valkey, list_postgres
from service.embedded.errors import EmbeddedError
from service.embedded.postgres import EmbeddedPostgres
from service.embedded.valkey import EmbeddedValkey

__all__ = [
    "EmbeddedError",
    "EmbeddedPostgres",
    "EmbeddedValkey",
    "PostgresBinaries",
    "find_postgres",
    "find_valkey",
    "list_postgres",
]
