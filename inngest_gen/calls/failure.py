"""Failure: an error as a value that survives the process: name, message, traceback text, cause."""

from __future__ import annotations

import pathlib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from inngest_gen.errors import StepError

_OWN = str(pathlib.Path(__file__).parent.parent)
_TEXT = 32 * 1024
"""How many characters of a message or of a traceback are kept."""
_CAUSES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong: the error's class `name`, its `message`, its traceback as text (`stack`), its `cause`, and whether it refused a retry."""

    name: str
    message: str
    stack: str | None = None
    cause: Failure | None = None
    no_retry: bool = False

    @classmethod
    def of(cls, error: BaseException, *, no_retry: bool = False, depth: int = 0) -> Failure:
        """Describe an error. The traceback text leaves out this package's own frames."""
        if isinstance(error, StepError):
            cause = None if error.cause is None or depth >= _CAUSES else cls.of(error.cause, depth=depth + 1)
            return cls(name=error.name, message=error.message, stack=error.stack, cause=cause, no_retry=no_retry or error.no_retry)
        before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        message = _text(error)
        if isinstance(error, BaseExceptionGroup):
            # What failed is in the members: the group's own text only counts them.
            members = [_text(one) if isinstance(one, StepError) else f"{type(one).__name__}: {_text(one)}" for one in error.exceptions]
            message = f"{error.message}: {'; '.join(members)}"
            before = before or error.exceptions[0]
        return cls(
            name=type(error).__name__,
            message=_cut(message),
            stack=_cut(stack(error)),
            cause=None if before is None or depth >= _CAUSES else cls.of(before, depth=depth + 1),
            no_retry=no_retry,
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Failure:
        """Read what `to_json` gave, or an Inngest step error."""
        cause = value.get("cause")
        return cls(
            name=str(value.get("name") or "Error"),
            message=str(value.get("message") or ""),
            stack=value.get("stack"),
            cause=cls.from_json(cause) if isinstance(cause, Mapping) else None,
            no_retry=bool(value.get("noRetry", False)),
        )

    def to_json(self) -> dict[str, Any]:
        """Give it as an Inngest step error (C54)."""
        value: dict[str, Any] = {"name": self.name, "message": self.message}
        if self.stack is not None:
            value["stack"] = self.stack
        if self.cause is not None:
            value["cause"] = self.cause.to_json()
        if self.no_retry:
            value["noRetry"] = True
        return value

    def error(self, step_id: str | None = None) -> StepError:
        """Give the StepError that is thrown into the handler."""
        cause = None if self.cause is None else self.cause.error()
        return StepError(self.name, self.message, self.stack, cause, step_id=step_id, no_retry=self.no_retry)

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name


def stack(error: BaseException) -> str | None:
    """Give the traceback of an error as text, without this package's own frames and those of the thread and loop machinery above it."""
    link: TracebackType | None = error.__traceback__
    while link is not None and not _foreign(link):
        link = link.tb_next
    if link is None:
        lines = traceback.format_exception_only(error)
    else:
        summary = traceback.StackSummary.extract(
            (pair for pair in traceback.walk_tb(link) if not pair[0].f_code.co_filename.startswith(_OWN)), capture_locals=False
        )
        lines = ["Traceback (most recent call last):\n", *summary.format(), *traceback.format_exception_only(error)]
    return "".join(lines).rstrip("\n")


def _foreign(link: TracebackType) -> bool:
    name = link.tb_frame.f_code.co_filename
    if name.startswith(_OWN):
        return False
    # Between our frames and the user's there may be a loop's or a thread's: skip those as long as one of ours still follows.
    rest = link.tb_next
    while rest is not None:
        if rest.tb_frame.f_code.co_filename.startswith(_OWN):
            return False
        rest = rest.tb_next
    return True


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"<its __str__ raised {type(broken).__name__}>"


def _cut(text: str | None) -> Any:
    if text is not None and not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate, from a file's name for instance, is no JSON
    if text is not None and len(text) > _TEXT:
        half = _TEXT // 2
        return f"{text[:half]}\n... {len(text) - _TEXT} characters left out ...\n{text[-half:]}"
    return text
