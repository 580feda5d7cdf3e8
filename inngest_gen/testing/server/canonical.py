"""Canonical JSON (JCS, RFC 8785): what the server's call requests are written in and what its signatures cover.

Promises: keys sorted by UTF-16 code units, numbers as ECMAScript writes the nearest double, no spaces. Whole numbers beyond 2**53 lose digits,
as they do in the server (Go reads JSON numbers as float64).
Refuses: NaN and infinities (ValueError); what is no JSON (TypeError).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any, Final

__all__ = ["canonical", "parse"]

_EXACT: Final = 2**53
_DIGITS: Final = 300
"""So many digits fit into a double."""


def canonical(value: Any) -> str:
    """Write a JSON value canonically."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, int):
        return str(value) if -_EXACT <= value <= _EXACT else _number(float(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        items = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
        return "{" + ",".join(f"{encode_basestring(key)}:{canonical(one)}" for key, one in items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical, value)) + "]"
    raise TypeError(f"{value!r} (type {type(value).__name__}) is no JSON")


def _number(value: float) -> str:
    # ECMA-262, Number::toString: repr gives the same shortest digits, but another notation.
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    # The value is 0.digits times ten to the power of `point`.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"


def parse(text: bytes | str) -> Any:
    """Read JSON as the server does. Raises ValueError, for numbers that no double holds and for what is nested too deep as well.

    Half a surrogate pair becomes U+FFFD, so that what was read can be written again.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    escape = b"\\ud" if isinstance(text, bytes) else "\\ud"
    return _mended(value) if escape in text.lower() else value  # type: ignore[operator]


def _refuse(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"no double holds the number {text[:40]}")
    return value


def _int(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"no double holds the number {text[:40]}...")
    return int(text)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_mended(key): _mended(one) for key, one in value.items()}
    return [_mended(one) for one in value] if isinstance(value, list) else value
