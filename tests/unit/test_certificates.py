"""Programs of the tests are spared the list of certificate authorities, downloads are not."""

from __future__ import annotations

import os
import ssl

import pytest
from support import certificates


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As it is before a run."""
    for name in (certificates._LIST, certificates._KEPT):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    return monkeypatch


def test_no_authority_is_read() -> None:
    assert ssl.create_default_context().cert_store_stats()["x509_ca"] == 0


@pytest.mark.parametrize("own", ["/etc/authorities.pem", None])
def test_a_download_finds_what_was_there_before(
    environment: pytest.MonkeyPatch, own: str | None
) -> None:
    if own:
        environment.setenv(certificates._LIST, own)
    before = dict(os.environ)
    certificates.read_none()
    certificates.read_none()  # in a worker, too
    assert os.environ[certificates._LIST] == os.devnull
    assert certificates.downloading() == before
