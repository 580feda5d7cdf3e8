"""Log lines of apps and of the engine on stderr, where the user's code has not set logging up itself."""

from __future__ import annotations

import logging
import sys


class _StandardError(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what `sys.stderr` is now: a live display takes its place for a while."""

    @property
    def stream(self) -> object:
        return sys.stderr

    @stream.setter
    def stream(self, _: object) -> None:
        pass


def show() -> None:
    """Print the lines of `ctx.logger` and of the engine from INFO up, unless logging is set up already."""
    ours = logging.getLogger("inngest_gen")
    if logging.getLogger().handlers or ours.handlers:
        return
    handler = _StandardError()
    handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d  %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
    ours.addHandler(handler)
    if ours.level == logging.NOTSET:
        ours.setLevel(logging.INFO)
