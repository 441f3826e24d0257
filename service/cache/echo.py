"""What becomes of a payment here once it is posted, before anybody is told that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.cache.model import Change
from service.ledger.gateway import entries_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.cache.answers import AnswerCache
    from service.cache.balances import BalanceCache
    from service.ledger.gateway import PaymentResult


class Echo:
    """The poster's side of the cache. `wake` makes the relay look, if it is in this process."""

    def __init__(
        self, balances: BalanceCache, answers: AnswerCache, wake: Callable[[], None]
    ) -> None:
        self._answers = answers
        self._balances = balances
        self._wake = wake
        self.find = answers.find

    def keep(
        self, ledger_id: int, idem_key: str, fingerprint: bytes, result: PaymentResult
    ) -> None:
        """The answer to the next one who asks with the key.

        It is kept for a minute, and no ledger forgets a key within an hour.
        """
        self._answers.put(ledger_id, idem_key, fingerprint, result, epoch=result.epoch)

    def hear(self, ledger_id: int, results: Sequence[PaymentResult]) -> None:
        """The versions that one call has made: whoever is answered finds them here."""
        heard = False
        for result in results:
            if result.outcome == "posted" and not result.replayed:
                heard = True
                # An entry does not say what is held: a payment leaves that as it was.
                changes = [
                    Change(entry.account, entry.version, entry.currency, entry.balance_after, None)
                    for entry in entries_of(result)
                ]
                self._balances.heard(ledger_id, changes, epoch=result.epoch)
        if heard:
            self._wake()
