"""The command line: exit codes, the result file, and where the target comes from."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loadgen_fake import KEY, FakeLedger, serving

from loadgen.__main__ import main
from loadgen.target import Target, TargetUnknown, find_target

SHORT = ["--model", "closed", "--clients", "8", "--accounts", "10", "--seed", "1"]


@contextmanager
def elsewhere(ledger: FakeLedger) -> Iterator[str]:
    """Serve the ledger from a thread with a loop of its own: the command line runs one too."""
    started, url, stop = threading.Event(), [""], asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with serving(ledger) as address:
            url[0] = address
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait()
    try:
        yield url[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def running(state_dir: Path, url: str, key: str = KEY) -> Path:
    state_dir.mkdir(exist_ok=True)
    (state_dir / "dev-key").write_text(f"{key}\n")
    said = {
        "pid": 1,
        "url": url,
        "migrate_dsn": "postgresql://nobody@127.0.0.1:1/none",
        "dev_key_file": str(state_dir / "dev-key"),
    }
    (state_dir / "running.json").write_text(json.dumps(said))
    return state_dir


def test_a_sound_run_ends_with_0_and_writes_its_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result.json"
    with elsewhere(FakeLedger()) as url:
        given = ["--url", url, "--key", KEY, "--seconds", "0.5", "--json", str(result)]
        assert main(["run", *SHORT, *given]) == 0
    assert json.loads(result.read_text())["verdict"] == "sound"
    printed = capsys.readouterr().out
    assert "verdict: sound (seed 1)" in printed
    assert "p99.9" in printed


def test_a_broken_run_ends_with_1_and_writes_its_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result.json"
    with elsewhere(FakeLedger("doubles")) as url:
        given = ["--url", url, "--key", KEY, "--seconds", "0.5", "--json", str(result)]
        assert main(["run", *SHORT, *given]) == 1
    written = json.loads(result.read_text())
    assert written["verdict"] == "broken"
    assert written["breaches"]["stray_entry"] > 0
    assert written["evidence"]
    assert "verdict: broken" in capsys.readouterr().out


def test_a_run_that_cannot_be_judged_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with elsewhere(FakeLedger()) as url:
        assert main(["run", *SHORT, "--url", url, "--key", "wrong"]) == 2
    assert "401" in capsys.readouterr().err


def test_a_database_that_cannot_be_asked_is_no_sound_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result.json"
    with elsewhere(FakeLedger()) as url:
        given = ["--url", url, "--key", KEY, "--dsn", "postgresql://nobody@127.0.0.1:1/none"]
        assert main(["run", *SHORT, "--seconds", "0.2", "--json", str(result), *given]) == 2
    assert json.loads(result.read_text())["verdict"] == "unchecked"
    assert "verdict: unchecked" in capsys.readouterr().out


def test_shares_that_cannot_be_met_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--url", "http://127.0.0.1:1", "--key", KEY, "--duplicates", "0.9", "--races", "0.9"]
    assert main(["run", *given]) == 2
    assert "more than 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["walk"],
        ["run", "--model", "half-open"],
        ["run", "--rate", "0"],
        ["run", "--duplicates", "1.5"],
        ["run", "--run-id", "a b"],
        ["run", "--accounts", "1"],
        ["run", "--json", "/nowhere/result.json"],
        ["replay"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rate", "fast"),
        ("--rate", "nan"),
        ("--clients", "x"),
        ("--clients", "1.5"),
        ("--races", ""),
    ],
)
def test_a_value_that_is_no_number_is_told_what_is_accepted(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["run", option, value])
    assert f"argument {option}: must be " in capsys.readouterr().err


def test_a_replay_from_the_command_line_says_what_it_posted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "purchases.csv"
    rows = "".join(f"{n},{n},1997-01-01,1,{n}\n" for n in range(50))
    file.write_text("purchase,customer,date,quantity,amount_minor\n" + rows)
    with elsewhere(FakeLedger()) as url:
        given = [str(file), "--url", url, "--key", KEY, "--seed", "7", "--duplicates", "0.3"]
        assert main(["replay", *given]) == 0
        printed = capsys.readouterr().out
        assert "posted by this run: 49" in printed
        assert "replays of earlier runs: 0" in printed
        assert main(["replay", *given]) == 0
        printed = capsys.readouterr().out
    assert "posted by this run: 0" in printed
    assert "replays of earlier runs: 49" in printed


def test_what_runs_here_is_the_default_target(tmp_path: Path) -> None:
    state_dir = running(tmp_path / "state", "http://127.0.0.1:5")
    target = find_target(None, None, {"PAYLEDGER_STATE_DIR": str(state_dir)})
    assert (target.url, target.key) == ("http://127.0.0.1:5", KEY)
    assert target.dsn() == "postgresql://nobody@127.0.0.1:1/none"


def test_a_given_target_asks_nobody(tmp_path: Path) -> None:
    target = find_target("http://127.0.0.1:6/", "k", {"PAYLEDGER_STATE_DIR": str(tmp_path)})
    assert (target.url, target.key, target.dsn()) == ("http://127.0.0.1:6", "k", None)


def test_a_target_found_here_is_followed_to_another_port(tmp_path: Path) -> None:
    state_dir = running(tmp_path / "state", "http://127.0.0.1:5")
    target = find_target(None, None, {"PAYLEDGER_STATE_DIR": str(state_dir)})
    running(state_dir, "http://127.0.0.1:7")
    target.look_again()
    assert target.url == "http://127.0.0.1:7"


def test_a_target_that_is_gone_is_still_the_last_one_known(tmp_path: Path) -> None:
    state_dir = running(tmp_path / "state", "http://127.0.0.1:5")
    target = Target("http://127.0.0.1:5", KEY, state_dir)
    (state_dir / "running.json").unlink()
    target.look_again()
    assert target.url == "http://127.0.0.1:5"


@pytest.mark.parametrize("text", [None, "{", "{}"], ids=["missing", "no JSON", "no URL"])
def test_without_a_target_the_command_says_how_to_get_one(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "running.json").write_text(text)
    with pytest.raises(TargetUnknown):
        find_target(None, None, {"PAYLEDGER_STATE_DIR": str(tmp_path)})
