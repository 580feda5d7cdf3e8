"""The test kit: `from inngest_gen import testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inngest_gen.testing.server.run import Call, DeferEntry, ServerRun, StepEntry
    from inngest_gen.testing.server.server import Server

_LAZY = {
    "Call": "inngest_gen.testing.server.run",
    "DeferEntry": "inngest_gen.testing.server.run",
    "Server": "inngest_gen.testing.server.server",
    "ServerRun": "inngest_gen.testing.server.run",
    "StepEntry": "inngest_gen.testing.server.run",
}


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'inngest_gen.testing' has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(module), name)
    return value


__all__ = ["Call", "DeferEntry", "Server", "ServerRun", "StepEntry"]
