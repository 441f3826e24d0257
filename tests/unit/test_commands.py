"""The parts of the commands that need no database."""

import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from service.__main__ import main
from service.commands.listening import ListenError, listen, url_of
from service.commands.psql import split_password
from service.commands.terminal import table
from service.database.api_keys import parse_token, render_token

SECRET = bytes(range(200, 232))


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"payledger {project['version']}\n"


def test_an_api_key_survives_being_written_and_read() -> None:
    token = render_token(17, SECRET)
    assert token.startswith("plk_17_")
    assert len(token) == len("plk_17_") + 43
    assert parse_token(token) == (17, SECRET)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "plk_17",
        "plk_17_",
        "pk_17_" + "A" * 43,
        "plk_x_" + "A" * 43,
        "plk_\u0661_" + "A" * 43,
        "plk_017_" + "A" * 43,
        "plk_17_" + "A" * 42 + "B",  # spare bits that are not zero: another spelling of a key
        "plk_17_" + "A" * 43 + "=",
        "plk_17_" + "A" * 42 + "\u00e9",
        "plk_17_" + "A" * 20 + "\n" + "A" * 23,
        f"plk_{10**18}_" + "A" * 43,
    ],
)
def test_what_is_no_api_key_is_refused(token: str) -> None:
    assert parse_token(token) is None


@pytest.mark.parametrize(
    ("dsn", "shown", "password"),
    [
        ("postgresql://u:p%2Fw@h:1/d", "postgresql://u@h:1/d", "p/w"),
        ("postgresql://u@h/d", "postgresql://u@h/d", None),
        ("postgresql://h/d", "postgresql://h/d", None),
        ("postgresql:///d?host=/run", "postgresql:///d?host=/run", None),
        ("postgresql://u:p@[::1]:5/d", "postgresql://u@[::1]:5/d", "p"),
        ("postgres://u@h/d?password=p&a=b", "postgres://u@h/d?a=b", "p"),
        ("postgresql://u:@h/d", "postgresql://u@h/d", ""),
    ],
)
def test_a_dsn_is_parted_from_its_password(dsn: str, shown: str, password: str | None) -> None:
    assert split_password(dsn) == (shown, password)


def test_a_taken_port_is_told_with_its_variable() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ListenError, match=f"^PAYLEDGER_PORT={port}: another program listens"):
            listen("127.0.0.1", port)
        assert url_of(first) == f"http://127.0.0.1:{port}"
    listen("127.0.0.1", port).close()


def test_a_port_that_another_program_shares_with_others_is_taken_too() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ListenError, match="another program listens"):
            listen("127.0.0.1", other.getsockname()[1])


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_this_machine_is_told_with_its_variable(host: str) -> None:
    with pytest.raises(ListenError, match=f"^PAYLEDGER_HOST={host}: "):
        listen(host, 0)


def test_every_address_is_reached_through_the_loopback_one() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert url_of(listener).startswith("http://127.0.0.1:")


def test_a_table_is_as_wide_as_its_cells(capsys: pytest.CaptureFixture[str]) -> None:
    table(("id", "name"), [("1", "a"), ("1000", "")])
    assert capsys.readouterr().out == "id    name\n----  ----\n1     a\n1000\n"


@pytest.mark.parametrize(
    ("arguments", "accepted"),
    [
        (["verify", "--slices", "many"], "a whole number from 1 to 100000"),
        (["verify", "--slices", "0"], "a whole number from 1 to 100000"),
        (["verify", "--slices", "100001"], "a whole number from 1 to 100000"),
        (["keys", "revoke", "development"], "a number that `keys list` shows"),
        (["keys", "revoke", str(2**63)], "a number that `keys list` shows"),
    ],
)
def test_an_argument_that_cannot_be_is_told_what_is_accepted(
    arguments: list[str], accepted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert f"must be {accepted}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "rest"),
    [
        # Half a second of a core: for `psql`, and for `up` besides each of its workers.
        ("service.__main__", "{'aiohttp', 'redis'}"),
        ("service.commands.worker", "{'redis'}"),  # which it may have no use for
    ],
)
def test_programs_start_without_what_only_others_need(module: str, rest: str) -> None:
    program = f"import sys, {module}; print({rest} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    ("argument", "name"), [("sql", "payledger sql"), ("--version", "payledger")]
)
def test_output_that_cannot_be_written_ends_a_command_with_the_reason(
    argument: str, name: str
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "service", argument],
            cwd=Path(__file__).parents[2],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == f"{name}: cannot write the output: No space left on device\n"
    assert done.returncode == 1
