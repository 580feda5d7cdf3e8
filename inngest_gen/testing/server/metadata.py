"""Metadata posted to a run, scores among it: checked as the server does (server: pkg/tracing/metadata)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from inngest_gen.testing.server.canonical import canonical

__all__ = ["TooLarge", "read_updates"]

_SPAN_BYTES: Final = 64 * 1024
_KINDS: Final = frozenset({
    "inngest.ai", "inngest.http", "inngest.http.timing", "inngest.response_headers", "inngest.warnings", "inngest.experiment", "inngest.score",
})  # fmt: skip
_OPS: Final = frozenset({"merge", "set", "delete", "add"})


class TooLarge(ValueError):
    """One update is larger than the server takes."""


def read_updates(value: Any) -> list[Mapping[str, Any]]:
    """Check the updates of a request, each {"kind", "op", "values"}. Raises ValueError, TooLarge for one that is too large."""
    if not isinstance(value, list):
        raise ValueError("metadata must be an array")  # noqa: TRY004 - about the request
    for update in value:
        _check(update)
    return value


def _check(update: Any) -> None:
    kind = update.get("kind") if isinstance(update, Mapping) else None
    if not isinstance(kind, str):
        raise ValueError("an update must be an object with a kind")  # noqa: TRY004 - as above
    if len(kind.encode()) > 128:
        raise ValueError("kind exceeds maximum length")
    if kind.startswith("inngest.") and kind not in _KINDS:
        raise ValueError("inngest-prefixed kind is not in the allowlist")
    if update.get("op", "merge") not in _OPS:
        raise ValueError(f"{update['op']} does not belong to MetadataOpcode values")
    values = update.get("values")
    if not isinstance(values, Mapping):
        raise ValueError("values must be an object")  # noqa: TRY004 - as above
    if kind == "inngest.score":
        for name, score in values.items():
            _check_score(name, score)
    if sum(len(name.encode()) + len(canonical(one).encode()) for name, one in values.items()) > _SPAN_BYTES:
        raise TooLarge("Metadata span exceeds maximum size of 64KB")


def _check_score(name: str, score: Any) -> None:
    if not isinstance(score, Mapping) or set(score) != {"value"} or not isinstance(score["value"], int | float):
        raise ValueError("invalid score value: score value must be a finite number or boolean")
    if len(name.encode()) > 128:
        raise ValueError(f'invalid score name "{name}": score name exceeds maximum length of 128 UTF-8 bytes')
    if any(letter < " " or letter in "\x7f'" for letter in name):
        raise ValueError(f'invalid score name "{name}": score name contains invalid characters')
