"""What a service answered over HTTP, whoever asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The problem's code; fails when the answer is no well-formed problem."""
        document = self.json
        assert self.headers["Content-Type"] == "application/problem+json"
        assert document["status"] == self.status
        assert document["type"] == f"urn:payledger:error:{document['code']}"
        code: str = document["code"]
        return code

    @property
    def outcome(self) -> tuple[int, str]:
        """Status and code of a problem."""
        return self.status, self.code

    @property
    def identity(self) -> tuple[object, ...]:
        """All of an answer that a replay repeats."""
        names = ("Content-Type", "Location", "ETag")
        return (self.status, self.body, *(self.headers.get(name) for name in names))

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"
