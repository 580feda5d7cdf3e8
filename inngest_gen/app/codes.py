"""Codes: which code makes a function's record: its handler, what that reaches, and the middleware that can lead it another way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from inngest_gen.driver.fingerprint import fingerprint

if TYPE_CHECKING:
    from inngest_gen.app.function import Function


def prints_of(function: Function) -> dict[str, str] | None:
    """Give the fingerprints by "module.name"; None where they cannot be known."""
    handler = function.handler
    for one in (handler, getattr(type(handler), "__call__", None)):  # noqa: B004 - a callable object's code is in its class
        try:
            prints = fingerprint(one)
        except TypeError:
            continue
        try:
            for hook in function.options.middleware.steering():
                prints.update(fingerprint(hook))
        except TypeError:  # a hook that is no Python function
            return None
        return prints
    return None


def code_of(function: Function) -> str:
    """Give them as one text that is kept with a record; "" where they cannot be known: then steps are always matched by id."""
    prints = prints_of(function)
    return "" if prints is None else orjson.dumps(prints, option=orjson.OPT_SORT_KEYS).decode()
