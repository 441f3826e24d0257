"""Settings: what is accepted, and what is said about what is not."""

import dataclasses
from pathlib import Path

import pytest

from service.settings import Settings, SettingsError


def mistakes(**variables: str) -> list[str]:
    """The lines of the message that these variables (without the prefix) get."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({f"PAYLEDGER_{name}": value for name, value in variables.items()})
    return str(caught.value).splitlines()


def test_an_empty_environment_gives_the_documented_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert Settings.from_env({}) == Settings(
        dsn=None,
        migrate_dsn=None,
        listen_dsn=None,
        read_dsn=None,
        redis_url=None,
        workers=3,
        host="127.0.0.1",
        port=8080,
        state_dir=tmp_path / ".payledger",
        pool_size=16,
        deadline_seconds=10.0,
        log_level="info",
        log_format="json",
        pg_bin=None,
    )


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (3, 3), (8, 8), (16, 8)])
def test_a_worker_a_core_but_not_more_than_postgresql_has_connections_for(
    cores: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert Settings.from_env({}).workers == workers
    assert Settings.from_env({"PAYLEDGER_WORKERS": "5"}).workers == 5


def test_an_empty_variable_is_an_unset_one() -> None:
    assert Settings.from_env({"PAYLEDGER_PORT": "", "PAYLEDGER_DSN": ""}) == Settings.from_env({})


def test_every_variable_is_read(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {
            "PAYLEDGER_DSN": "postgresql://service:p%2Fw@db/ledger",
            "PAYLEDGER_MIGRATE_DSN": "postgres://owner@db/ledger",
            "PAYLEDGER_LISTEN_DSN": "postgresql://service@direct/ledger",
            "PAYLEDGER_READ_DSN": "postgresql://service@replica/ledger",
            "PAYLEDGER_REDIS_URL": "redis://:p%2Fw@cache:6379/1",
            "PAYLEDGER_WORKERS": "4",
            "PAYLEDGER_HOST": "0.0.0.0",
            "PAYLEDGER_PORT": "0",
            "PAYLEDGER_STATE_DIR": str(tmp_path / "state"),
            "PAYLEDGER_POOL_SIZE": "3",
            "PAYLEDGER_DEADLINE_SECONDS": "2.5",
            "PAYLEDGER_LOG_LEVEL": "debug",
            "PAYLEDGER_LOG_FORMAT": "text",
            "PAYLEDGER_PG_BIN": str(tmp_path),
        }
    )
    assert settings == Settings(
        dsn="postgresql://service:p%2Fw@db/ledger",
        migrate_dsn="postgres://owner@db/ledger",
        listen_dsn="postgresql://service@direct/ledger",
        read_dsn="postgresql://service@replica/ledger",
        redis_url="redis://:p%2Fw@cache:6379/1",
        workers=4,
        host="0.0.0.0",
        port=0,
        state_dir=tmp_path / "state",
        pool_size=3,
        deadline_seconds=2.5,
        log_level="debug",
        log_format="text",
        pg_bin=tmp_path,
    )


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ("PORT", "80x", "a whole number from 0 to 65535"),
        ("PORT", "-1", "a whole number from 0 to 65535"),
        ("PORT", "65536", "a whole number from 0 to 65535"),
        ("PORT", "\u0664", "a whole number from 0 to 65535"),
        ("WORKERS", "0", "a whole number from 1 to 64"),
        ("WORKERS", "65", "a whole number from 1 to 64"),
        ("POOL_SIZE", "0", "a whole number from 1 to 1000"),
        ("DEADLINE_SECONDS", "nan", "a number of seconds from 0.1 to 300"),
        ("DEADLINE_SECONDS", "soon", "a number of seconds from 0.1 to 300"),
        ("DEADLINE_SECONDS", "301", "a number of seconds from 0.1 to 300"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("LOG_FORMAT", "xml", "one of json, text"),
        ("HOST", "http://here", "an address or a host name"),
        ("PG_BIN", "/nowhere/at/all", "an existing directory"),
        ("STATE_DIR", __file__, "a directory, not a file"),
    ],
)
def test_a_wrong_value_is_told_with_its_variable_and_what_is_accepted(
    variable: str, value: str, accepted: str
) -> None:
    (line,) = mistakes(**{variable: value})
    assert line.startswith(f"PAYLEDGER_{variable}={value!r}: must be {accepted}")


def test_a_state_directory_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / ("x" * 300))
    (line,) = mistakes(STATE_DIR=path)
    assert line.startswith(f"PAYLEDGER_STATE_DIR={path!r}: must be a directory that can be reached")


def test_all_mistakes_are_told_at_once() -> None:
    lines = mistakes(PORT="x", POOL_SIZE="x", DSN="x", LOG_FORMAT="x")
    assert [line.partition(":")[0].partition("=")[0] for line in lines] == [
        "PAYLEDGER_DSN",
        "PAYLEDGER_PORT",
        "PAYLEDGER_POOL_SIZE",
        "PAYLEDGER_LOG_FORMAT",
    ]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("WORKRES", "WORKERS"),
        ("DNS", "DSN"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("HTTP_PORT", "PORT"),
        ("VALKEYBIN", "VALKEY_BIN"),
        ("dsn", None),
        ("QUUX", None),
        ("", None),
    ],
)
def test_a_setting_that_there_is_not_is_told_with_the_nearest_one_and_not_shown(
    name: str, nearest: str | None
) -> None:
    (line,) = mistakes(**{name: "s3cret"})
    hint = f"; the nearest one is PAYLEDGER_{nearest}" if nearest else ""
    assert line == f"PAYLEDGER_{name}: there is no such setting{hint}"


def test_a_mistyped_name_does_not_hide_a_wrong_value() -> None:
    assert len(mistakes(WORKRES="2", PORT="x")) == 2


@pytest.mark.parametrize(
    "name",
    [
        "PAYLEDGER_SERVICE_HOST",
        "PAYLEDGER_SERVICE_PORT_HTTP",
        "PAYLEDGER_PORT_8080_TCP",
        "PAYLEDGER_POSTGRES_PORT",
        "PAYLEDGER_POSTGRES_PORT_5432_TCP_ADDR",
        "PAYLEDGER_VALKEY_SERVICE_PORT",
        "PAYLEDGER_WORKRES_2",
    ],
)
def test_what_is_set_beside_a_service_of_our_name_is_no_mistyped_setting(name: str) -> None:
    """By Kubernetes, say, in every container; and what is empty is not set."""
    value = "" if name == "PAYLEDGER_WORKRES_2" else "tcp://10.0.0.1:5432"
    assert Settings.from_env({name: value}) == Settings.from_env({})


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:p@h/d",
        "postgres://u@h:5433/d",
        "postgresql://h/d?sslmode=require&application_name=x",
        "postgresql://u:p@h1:5432,h2:5433/d?target_session_attrs=read-write",
        "postgresql:///d?host=/run/postgresql",
        "postgresql://u:p@[::1]:5432/d",
        "postgresql://u:a%40b%2Fc@h/d",
        "postgresql://",
    ],
)
def test_the_usual_dsns_are_accepted(dsn: str) -> None:
    assert Settings.from_env({"PAYLEDGER_DSN": dsn}).dsn == dsn


@pytest.mark.parametrize(
    "dsn",
    [
        "host=h user=u password=s3cret",
        "mysql://u:s3cret@h/d",
        "postgresql://u:s3cret/more@h/d",
        "postgresql://u:s3cret@more@h/d",
        "postgresql://u:s3cret#more@h/d",
        "postgresql://u:s3cret?more@h/d",
        "postgresql://u:s3cret@h:port/d",
        "postgresql://u:s3cret@h:65536/d",
        "postgresql://u:s3cret@h:0/d",
        "postgresql://u:s3cret@h:\u0665/d",
        "postgresql://u:s3cret@h/d?sslmode",
        "postgresql://u:s3cret@[::1/d",
    ],
)
@pytest.mark.parametrize("variable", ["DSN", "MIGRATE_DSN", "LISTEN_DSN", "READ_DSN"])
def test_a_dsn_that_the_driver_would_choke_on_is_refused_without_showing_it(
    variable: str, dsn: str
) -> None:
    (line,) = mistakes(**{variable: dsn})
    assert line.startswith(f"PAYLEDGER_{variable}: must be a URL like postgresql://")
    assert "s3cret" not in line


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://h:6380/3",
        "rediss://user:p%40w@h:6380/0?ssl_cert_reqs=required",
        "redis://:p@[::1]:6379",
        "unix:///run/valkey/valkey.sock",
        "unix://:p@/run/a%20b/valkey.sock?db=1",
    ],
)
def test_the_usual_redis_urls_are_accepted(url: str) -> None:
    assert Settings.from_env({"PAYLEDGER_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "h:6379",
        "http://u:s3cret@h",
        "redis://u:s3cret/more@h",
        "redis://u:s3cret@more@h",
        "redis://u:s3cret#more@h",
        "redis://u:s3cret?more@h",
        "redis://u:s3cret@h:port",
        "redis://u:s3cret@h:65536",
        "redis://u:s3cret@h/name",
        "redis://u:s3cret@[::1",
        "redis://:s3cret@",
        "unix://:s3cret@h/path",
        "unix:s3cret",
    ],
)
def test_a_redis_url_that_the_client_would_choke_on_is_refused_without_showing_it(
    url: str,
) -> None:
    (line,) = mistakes(REDIS_URL=url)
    assert line.startswith("PAYLEDGER_REDIS_URL: must be a URL like redis://")
    assert "s3cret" not in line


def test_the_settings_do_not_show_a_password_when_printed() -> None:
    env = {
        f"PAYLEDGER_{name}": "postgresql://u:s3cret@h/d"
        for name in ("DSN", "MIGRATE_DSN", "LISTEN_DSN", "READ_DSN")
    }
    settings = Settings.from_env(env | {"PAYLEDGER_REDIS_URL": "redis://:s3cret@h"})
    assert "s3cret" not in repr(settings)
