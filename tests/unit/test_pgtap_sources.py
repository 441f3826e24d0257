"""Where pgTAP comes from: nothing that is not exactly the expected package is ever run."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from support import pgtap

if TYPE_CHECKING:
    from pathlib import Path


def package(sql: str) -> bytes:
    """A tarball of the package's form."""

    def tar(name: str, content: bytes) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        return gzip.compress(buffer.getvalue(), mtime=0)

    return tar(pgtap.INNER, tar(pgtap.MEMBER, sql.encode()))


@pytest.fixture
def genuine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A package that counts as the real one, and an empty cache."""
    tarball = package("select 1;")
    monkeypatch.setattr(pgtap, "SHA256", hashlib.sha256(tarball).hexdigest())
    monkeypatch.setattr(pgtap, "CACHE", tmp_path / "cache")
    return tarball


def test_what_was_fetched_once_is_not_fetched_again(
    genuine: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [genuine]
    monkeypatch.setattr(pgtap, "_npm_on_path", lambda: ["npm"])
    monkeypatch.setattr(pgtap, "_pack", lambda _npm: answers.pop())
    assert [pgtap.find_sql(), pgtap.find_sql()] == ["select 1;"] * 2


def test_a_spoilt_copy_in_the_cache_is_fetched_anew(
    genuine: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pgtap.CACHE.mkdir()
    kept = pgtap.CACHE / f"{pgtap.SHA256}.tgz"
    kept.write_bytes(package("drop database;"))
    monkeypatch.setattr(pgtap, "_npm_on_path", lambda: ["npm"])
    monkeypatch.setattr(pgtap, "_pack", lambda _npm: genuine)
    assert pgtap.find_sql() == "select 1;"
    assert kept.read_bytes() == genuine


@pytest.mark.usefixtures("genuine")
def test_another_package_is_refused_wherever_it_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pgtap, "_npm_on_path", lambda: ["npm"])
    monkeypatch.setattr(pgtap, "_npm_of_wheel", lambda: ["node", "npm"])
    monkeypatch.setattr(pgtap, "_pack", lambda _npm: package("drop database;"))
    with pytest.raises(pgtap.PgtapMissingError, match="another digest"):
        pgtap.find_sql()
    assert not pgtap.CACHE.exists()


def test_without_npm_the_one_of_the_wheel_is_used(
    genuine: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(pgtap, "_npm_of_wheel", lambda: ["of the wheel"])
    monkeypatch.setattr(pgtap, "_pack", lambda npm: genuine if npm == ["of the wheel"] else b"")
    assert pgtap.find_sql() == "select 1;"


@pytest.mark.usefixtures("genuine")
@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_without_any_source_it_is_a_failure_in_ci_and_a_skip_elsewhere(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "/nowhere")

    def offline() -> list[str]:
        raise pgtap.PgtapMissingError("pip failed: no network")

    monkeypatch.setattr(pgtap, "_npm_of_wheel", offline)
    with pytest.raises(outcome, match="no npm on the PATH; pip failed: no network"):
        pgtap.require_sql()
