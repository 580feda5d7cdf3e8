"""Codes: which code made a record, as one text that is kept with it."""

from __future__ import annotations

import orjson

from inngest_gen.app.function import Function
from inngest_gen.driver.fingerprint import fingerprint


def code_of(function: Function) -> str:
    """Give the fingerprints of a function's code, and of the middleware that can lead it another way, as one text.

    "" where they cannot be known: then steps are always matched by id.
    """
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
            return ""
        return orjson.dumps(prints, option=orjson.OPT_SORT_KEYS).decode()
    return ""
