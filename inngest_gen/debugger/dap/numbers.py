"""Numbers: what the client knows by a number: the threads, frames and things of a stop.

Promises: a thread's id is the same at each stop; ids of frames and things are never used twice, and refused when the replay has moved on.
"""

from __future__ import annotations

from typing import Any

from inngest_gen.debugger.dap.refused import Refused
from inngest_gen.debugger.dap.strands import ROOT, Level, Strand, strands_of
from inngest_gen.debugger.dap.things import Row, Thing
from inngest_gen.debugger.stop import Stop


class Numbers:
    """The ids of one conversation. `show` makes those of a stop, and ends those of the stop before."""

    def __init__(self) -> None:
        self.strands: list[Strand] = []
        self.current: str = ROOT
        """The key of the strand that has come to this stop."""
        self._threads: dict[str, int] = {ROOT: 1}
        self._last = 0
        self._frames: dict[int, tuple[Strand, int]] = {}
        self._things: dict[int, Thing] = {}

    def show(self, stop: Stop, name: str, fallback: Level) -> None:
        """Show a stop."""
        self._frames.clear()
        self._things.clear()
        self.strands, self.current = strands_of(stop, name, fallback)

    def thread(self, key: str) -> int:
        """Give the id of a strand's thread."""
        return self._threads.setdefault(key, len(self._threads) + 1)

    def strand(self, thread: int) -> Strand:
        """Give the strand of a thread. Raises Refused."""
        for one in self.strands:
            if self._threads.get(one.key) == thread:
                return one
        raise Refused(f"there is no thread {thread} at this stop: its branch has ended or has not begun")

    def frame(self, strand: Strand, place: int) -> int:
        """Give the id of a level of a strand."""
        for id, known in self._frames.items():
            if known == (strand, place):
                return id
        self._last += 1
        self._frames[self._last] = strand, place
        return self._last

    def level(self, id: int) -> Level:
        """Give the level of a frame. Raises Refused."""
        strand, place = self._known(id)
        return strand.levels[place]

    def session_frame(self, id: int) -> int:
        """Give the session's id of a frame; of a level that has none, that of the frame below it. Raises Refused."""
        strand, place = self._known(id)
        for level in strand.levels[place:]:
            if level.frame is not None:
                return level.frame
        raise Refused("there is no frame of the handler's here to look into")

    def _known(self, id: int) -> tuple[Strand, int]:
        found = self._frames.get(id)
        if found is None:
            raise Refused(f"there is no frame {id} any more: the replay has moved on")
        return found

    def thing(self, reference: int) -> Thing:
        """Give what has a reference. Raises Refused."""
        found = self._things.get(reference)
        if found is None:
            raise Refused(f"there is nothing with the reference {reference} any more: the replay has moved on")
        return found

    def listed(self, thing: Thing | None) -> dict[str, int]:
        """Give the reference of a thing with how many rows it has, as variables and scopes tell it; 0 for nothing."""
        if thing is None or thing.size == 0:
            return {"variablesReference": 0}
        self._last += 1
        self._things[self._last] = thing
        return {"variablesReference": self._last, "indexedVariables" if thing.indexed else "namedVariables": thing.size}

    def variable(self, row: Row) -> dict[str, Any]:
        """Tell a row."""
        told: dict[str, Any] = {"name": row.name, "value": row.text, **self.listed(row.inside)}
        if row.type:
            told["type"] = row.type
        if row.expression is not None:
            told["evaluateName"] = row.expression
        if row.set is None:
            told["presentationHint"] = {"attributes": ["readOnly"]}
        return told
