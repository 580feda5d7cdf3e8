"""Refused: why a request cannot be answered, as a sentence for whoever sits in front of the client."""

from __future__ import annotations


class Refused(Exception):
    """A request that gets an error for its response. `shown` asks the client to show it to the user."""

    def __init__(self, sentence: str, *, shown: bool = False) -> None:
        super().__init__(sentence)
        self.shown = shown
