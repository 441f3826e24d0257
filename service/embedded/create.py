"""Makes a new cluster, and the logins and the database that payledger wants in it."""

import secrets
from pathlib import Path

from service.embedded.errors import EmbeddedError
from service.embedded.identity import Identity

CONFIG_FILE = "payledger.conf"
SUPERUSER = "postgres"
LOGINS = ("payledger_migrator", "payledger_service")
DATABASE = "payledger"


def make_cluster(
    identity: Identity, bin_dir: Path, major: int, data_dir: Path, password: str, *, sync: bool
) -> None:
    """Run initdb; a cluster that is there is a finished one, whatever kills us when."""
    # A predecessor that was killed may have left an initdb at work: not in our directory.
    unfinished = data_dir.with_name(f"new-{secrets.token_hex(4)}")
    password_file = unfinished.with_suffix(".password")
    identity.shell('rm -rf "$1"/new-*; cat > "$2"', data_dir.parent, password_file, text=password)
    initdb: list[str | Path] = [
        bin_dir / "initdb",
        f"--pgdata={unfinished}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--data-checksums",
        "--encoding=UTF8",
        "--locale=C",  # no message and no sort order depends on the machine's locales
        *(() if sync else ("--no-sync",)),
    ]
    try:
        if major >= 17:
            builtin: list[str | Path] = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            identity.run([*initdb, *builtin], env=environment(bin_dir))
        else:
            try:
                identity.run([*initdb, "--lc-ctype=C.UTF-8"], env=environment(bin_dir))
            except EmbeddedError:  # an operating system without that locale
                identity.run(initdb, env=environment(bin_dir))
        include = f"include = '{CONFIG_FILE}'\n"
        identity.shell('cat >> "$1"', unfinished / "postgresql.conf", text=include)
        identity.shell('mv "$1" "$2"', unfinished, data_dir)
    finally:
        identity.shell('rm -rf "$1" "$2"', unfinished, password_file)


def reset_password(identity: Identity, bin_dir: Path, data_dir: Path, password: str) -> None:
    """Give the superuser of a stopped cluster a password, the old one being lost."""
    single_user: list[str | Path] = [bin_dir / "postgres", "--single", "-D", data_dir, "postgres"]
    statement = f"alter role {SUPERUSER} password '{password}'\n"
    identity.run(single_user, text=statement, env=environment(bin_dir))


def write_config(identity: Identity, data_dir: Path, text: str) -> None:
    """Write our part of the configuration, as the server's user: root never writes there."""
    target = data_dir / CONFIG_FILE
    identity.shell('cat > "$1.new"; mv "$1.new" "$1"', target, text=text)


def environment(bin_dir: Path) -> dict[str, str]:
    """The server's environment: nothing of ours leaks into it, least of all PG* variables."""
    return {
        "PATH": f"{bin_dir}:/usr/bin:/bin",
        "LC_ALL": "C",
        "LD_LIBRARY_PATH": str(bin_dir.parent / "lib"),  # for a copied or relocated installation
    }


# Run with psql by the superuser; safe to run twice. `:...` are psql's variables.
PREPARE_LOGINS = """
select format('create role %I', name)
from unnest(array['payledger_migrator', 'payledger_service']) as name
where not exists (select from pg_roles where rolname = name) \\gexec

alter role payledger_migrator login createrole nosuperuser nocreatedb
  password :'payledger_migrator';
alter role payledger_service login nocreaterole nosuperuser nocreatedb
  password :'payledger_service';

alter role payledger_service set statement_timeout = '30s';
alter role payledger_service set lock_timeout = '5s';
alter role payledger_service set idle_in_transaction_session_timeout = '10s';
select 'alter role payledger_service set transaction_timeout = ''60s'''
where current_setting('server_version_num')::int >= 170000 \\gexec

select 'create database payledger owner payledger_migrator'
where not exists (select from pg_database where datname = 'payledger') \\gexec
"""

# The group roles are made by the migrations. Granting twice changes nothing. Whoever creates a role
# is its member without inheriting from 16 on, and a plain GRANT leaves that as it is.
GRANT_ROLES = """
set client_min_messages = warning;
grant ledger_app, ledger_relay to payledger_service;
select 'grant ledger_admin to payledger_migrator'
  || case when current_setting('server_version_num')::int >= 160000 then ' with inherit true'
     else '' end
\\gexec
"""
