"""Who hears what was posted, and can say some of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.ledger.gateway import PaymentResult


class Echo(Protocol):
    """service.cache.echo.Echo."""

    async def find(  # noqa: D102
        self, ledger_id: int, idem_key: str, fingerprint: bytes
    ) -> PaymentResult | None: ...

    def keep(  # noqa: D102
        self, ledger_id: int, idem_key: str, fingerprint: bytes, result: PaymentResult
    ) -> None: ...

    def hear(self, ledger_id: int, results: Sequence[PaymentResult]) -> None: ...  # noqa: D102


class NoEcho:
    """For a process that nobody reads from."""

    async def find(self, _ledger_id: int, _idem_key: str, _fingerprint: bytes) -> None:
        """Nothing is known but to the ledger."""

    def keep(
        self, _ledger_id: int, _idem_key: str, _fingerprint: bytes, _result: PaymentResult
    ) -> None:
        """Forgets it."""

    def hear(self, _ledger_id: int, _results: Sequence[PaymentResult]) -> None:
        """Hears nothing."""
