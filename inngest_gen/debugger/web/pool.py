"""Pool: JSON values of which equal ones are kept once.

The stops of a run are nearly alike: most locals, frames and branches are as they were at the stop before. So each stop is put in whole, and costs
what is new in it. Promises: what is equal has one number, so that a reader finds what has changed by comparing numbers; long lists are kept in
pieces, so that one changed item costs a piece. Refuses: what is no JSON value. web/decode.js reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

_PIECE: Final = 32
"""A list of more items than this is kept in pieces of so many."""
_LIST: Final = 0
_PIECES: Final = -1


@dataclass(frozen=True, slots=True)
class Ref:
    """A value that is in the pool already, by its number: good wherever a value is."""

    number: int


class Pool:
    """Holds values. `entries` and `shapes` are JSON: an entry is a scalar, or a list whose first item says what the others, numbers of entries, are.

    That is 0 for a list, -1 for a list in pieces, and n for an object with the keys of the n-th shape.
    """

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.shapes: list[list[str]] = []
        self.size: int = 0
        """About how many bytes of JSON the entries are."""
        self._known: dict[Any, int] = {}
        self._shapes: dict[tuple[str, ...], int] = {}

    def put(self, value: Any) -> int:
        """Put a value in and give its number."""
        if isinstance(value, Ref):
            return value.number
        if isinstance(value, dict):
            keys = tuple(value)
            shape = self._shapes.get(keys)
            if shape is None:
                self.shapes.append(list(keys))
                shape = self._shapes[keys] = len(self.shapes)
            return self._row(shape, [self.put(one) for one in value.values()])
        if isinstance(value, (list, tuple)):
            return self._list([self.put(one) for one in value])
        if value is None or isinstance(value, (str, int, float)):  # and bool
            number = self._known.get((type(value), value))
            if number is None:
                self.size += len(value) + 6 if isinstance(value, str) else 8
                number = self._add((type(value), value), value)
            return number
        raise TypeError(f"{type(value).__name__} is no JSON value")

    def ref(self, value: Any) -> Ref:
        """Put a value in and give what stands for it in other values."""
        return Ref(self.put(value))

    def _list(self, numbers: list[int]) -> int:
        if len(numbers) <= _PIECE:
            return self._row(_LIST, numbers)
        return self._row(_PIECES, [self._list(numbers[start : start + _PIECE]) for start in range(0, len(numbers), _PIECE)])

    def _row(self, head: int, numbers: list[int]) -> int:
        key = (head, *numbers)
        number = self._known.get(key)
        if number is None:
            self.size += 5 + 6 * len(numbers)
            number = self._add(key, [head, *numbers])
        return number

    def _add(self, key: Any, entry: Any) -> int:
        number = self._known[key] = len(self.entries)
        self.entries.append(entry)
        return number
