"""The snapshot of what is installed: nobody changes a signature or a right without seeing it.

After an intended change run it with PAYLEDGER_UPDATE_SNAPSHOTS=1 and commit the difference.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from support import snapshot

if TYPE_CHECKING:
    from support.payments import Ledger

COMMITTED = Path(__file__).with_name("signatures.txt")


async def test_every_signature_owner_and_grant_is_the_committed_one(ledger: Ledger) -> None:
    taken = await snapshot.take(ledger.observer)
    if os.environ.get("PAYLEDGER_UPDATE_SNAPSHOTS"):
        COMMITTED.write_text(taken, encoding="utf-8")
    committed = COMMITTED.read_text(encoding="utf-8")
    difference = difflib.unified_diff(
        committed.splitlines(), taken.splitlines(), "committed", "installed", lineterm="", n=4
    )
    assert committed == taken, "\n" + "\n".join(difference)
