"""What a measurement gives back, and the files that a run leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Findings:
    """Values by the names of bench.goals, and what they were made of.

    `note`: what has to stand beside the values, for who reads them to know what they are worth.
    """

    values: Mapping[str, float]
    details: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


def write(
    values: Mapping[str, float], details: Mapping[str, Any], directory: Path = RESULTS
) -> Path:
    """latest.json has this run's values and no others: values of two runs compare nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    latest = directory / "latest.json"
    _write(directory / "details.json", details)
    _write(latest, {name: _rounded(value) for name, value in values.items()})
    return latest


def _rounded(value: float) -> float:
    """Three decimals of a ratio; of thousands none."""
    return round(value, 3) if abs(value) < 1000 else round(value)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.replace(path)
