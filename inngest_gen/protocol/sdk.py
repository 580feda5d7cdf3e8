"""What this SDK calls itself on the wire."""

from __future__ import annotations

from importlib import metadata
from typing import Final

__all__ = ["CAPABILITIES", "LANGUAGE", "NAME", "SDK", "VERSION"]

NAME: Final = "inngest-gen"
try:
    VERSION: Final = metadata.version(NAME)
except metadata.PackageNotFoundError:  # run from a source tree that was not installed
    VERSION = "0.0.0"  # type: ignore[misc]
SDK: Final = f"{NAME}:v{VERSION}"
"""The headers `X-Inngest-SDK` and `User-Agent` (SDK_SPEC 4.1.1)."""
LANGUAGE: Final = "py"
"""The language's name among Inngest's SDKs."""
CAPABILITIES: Final = {"in_band_sync": "v1", "trust_probe": "v1"}
"""What this SDK can do, by the names and versions of SDK_SPEC 4.5. No "connect": that is announced by a worker that connects."""
