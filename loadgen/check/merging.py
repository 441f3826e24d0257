"""Two sorted streams side by side, one group of each under the same key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TypeVar

Left = TypeVar("Left")
Right = TypeVar("Right")


async def groups(
    rows: AsyncIterator[Right], key: Callable[[Right], Any]
) -> AsyncIterator[tuple[Any, list[Right]]]:
    """Give runs of rows that share a key."""
    group: list[Right] = []
    current: Any = None
    async for row in rows:
        found = key(row)
        if group and found != current:
            yield current, group
            group = []
        current = found
        group.append(row)
    if group:
        yield current, group


def runs(rows: Iterable[Left], key: Callable[[Left], Any]) -> Iterator[tuple[Any, list[Left]]]:
    """Give runs of rows that share a key."""
    group: list[Left] = []
    current: Any = None
    for row in rows:
        found = key(row)
        if group and found != current:
            yield current, group
            group = []
        current = found
        group.append(row)
    if group:
        yield current, group


async def side_by_side(
    left: Iterator[tuple[Any, list[Left]]], right: AsyncIterator[tuple[Any, list[Right]]]
) -> AsyncIterator[tuple[Any, list[Left], list[Right]]]:
    """Give each key with what either side has under it; both sides are in order of key."""
    one = next(left, None)
    other = await anext(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None  # noqa: S101 - one of the two is there
            yield one[0], one[1], []
            one = next(left, None)
        elif one is None or other[0] < one[0]:
            yield other[0], [], other[1]
            other = await anext(right, None)
        else:
            yield one[0], one[1], other[1]
            one, other = next(left, None), await anext(right, None)
