"""The recorded traffic: tests/captures/*.json, real calls of an Inngest server and what the JavaScript SDK answered (see tests/captures/README.md)."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CAPTURES = pathlib.Path(__file__).parent.parent / "captures"
SCENARIOS = sorted(path.stem for path in CAPTURES.glob("js-*.json") if path.stem != "js-sync")


@dataclass(frozen=True)
class Exchange:
    """One request of a recording and its response."""

    direction: str
    method: str
    path: str
    headers: dict[str, str]
    json: Any
    status: int
    reply_headers: dict[str, str]
    reply: Any

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query))


def exchanges(name: str) -> list[Exchange]:
    """Give a recording's exchanges, in the order of their requests."""
    messages = json.loads((CAPTURES / f"{name}.json").read_text())
    responses = {(one["seq"], one["path"]): one for one in messages if one["kind"] == "response"}
    found: list[Exchange] = []
    for one in messages:
        if one["kind"] == "request":
            response = responses[one["seq"], one["path"]]
            found.append(
                Exchange(
                    direction=one["direction"],
                    method=one["method"],
                    path=one["path"],
                    headers=_headers(one),
                    json=one.get("json"),
                    status=response["status"],
                    reply_headers=_headers(response),
                    reply=response.get("json"),
                )
            )
    return found


def _headers(message: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in message["headers"]}


def calls() -> Iterator[tuple[str, Exchange]]:
    """Give every call of a function in all recordings, with the recording's name."""
    for name in SCENARIOS:
        for one in exchanges(name):
            if one.direction == "server->sdk" and one.method == "POST":
                yield name, one


def body(one: Exchange) -> bytes:
    """Give a call's body as the server sent it: canonical JSON."""
    return json.dumps(one.json, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
