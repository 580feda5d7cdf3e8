"""Codes: which code made a record, as one text that is kept with it."""

from __future__ import annotations

import orjson

from inngest_gen.app.function import Function
from inngest_gen.driver.fingerprint import fingerprint


def code_of(function: Function) -> str:
    """Give the fingerprints of a function's code as one text; "" where it cannot be known: then steps are always matched by id."""
    handler = function.handler
    for one in (handler, getattr(type(handler), "__call__", None)):  # noqa: B004 - a callable object's code is in its class
        try:
            return orjson.dumps(fingerprint(one), option=orjson.OPT_SORT_KEYS).decode()
        except TypeError:
            continue
    return ""
