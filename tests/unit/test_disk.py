"""A full disk is believed as long as it may be so, and no longer."""

from __future__ import annotations

import pytest
from support.clock import Clock

from service.ledger.disk import SECONDS, Disk


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def disk(clock: Clock) -> Disk:
    return Disk(clock)


@pytest.mark.parametrize("sqlstate", [None, "53200", "08006", "55P03"])
def test_other_trouble_is_not_the_disks(disk: Disk, sqlstate: str | None) -> None:
    disk.failed(sqlstate)
    assert not disk.full


def test_it_is_full_until_something_was_written(disk: Disk) -> None:
    assert not disk.full
    disk.failed("53100")
    disk.failed("55P03")
    assert disk.full
    disk.wrote()
    assert not disk.full


def test_after_a_while_the_next_payments_have_to_find_out(disk: Disk, clock: Clock) -> None:
    disk.failed("53100")
    clock.pass_(SECONDS - 1)
    assert disk.full
    disk.failed("53100")
    clock.pass_(SECONDS - 1)
    assert disk.full
    clock.pass_(1)
    assert not disk.full
