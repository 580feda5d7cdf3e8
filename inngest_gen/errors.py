"""Every error a user of inngest_gen can meet.

    InngestGenError
    |- StepError               a step failed for good; thrown in at its yield
    |- NonRetriableError       raise it: this attempt is the last
    |- RetryAfterError         raise it: the next attempt comes after a given time
    |- MisuseError             a mistake in the handler or step body, with its line (also a TypeError)
    |- NonDeterminismError     a replay of unchanged code asked for something else than is recorded
    |- NotJSON                 a value that cannot become JSON, with its path (also a ValueError)
    |- SchemaError             data that does not fit a schema (also a ValueError)
    |- DeferError              a defer that was skipped, raised only where `defer_errors="raise"` (also a ValueError)
    |- MiddlewareError         a middleware's hook failed
    |- DecryptionError         data that EncryptionMiddleware cannot or must not read (also a ValueError)
    |- ConfigError             an app or function declared wrongly (also a ValueError)
    |- RecordingError          a file that is no recording, or damaged, or of a later version (also a ValueError)
    |- ApiError                the Inngest server did not answer, or refused what was asked of it
    |- EngineError             the embedded engine cannot do what was asked
    |  |- EngineLocked         another engine has the file open
    |  |- StoreError           the database is full, locked, corrupt or from a newer version
    |  |- TooLarge             an event or a result beyond the limit
    |  |- UnsupportedOption    a declared option which the embedded engine does not honour yet
    |  `- RunNotFound          no run with that id
    `- ServerError             the test server cannot do what was asked, such as to register an app
       `- RunStuck             runs on the test server do not end

Attributes hold the facts, `str()` makes the sentence, and every error survives pickling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

__all__ = [
    "ApiError",
    "ConfigError",
    "DecryptionError",
    "DeferError",
    "EngineError",
    "EngineLocked",
    "InngestGenError",
    "MiddlewareError",
    "MisuseError",
    "NonDeterminismError",
    "NonRetriableError",
    "NotJSON",
    "RecordingError",
    "RetryAfterError",
    "RunNotFound",
    "RunStuck",
    "SchemaError",
    "ServerError",
    "StepError",
    "StoreError",
    "TooLarge",
    "UnsupportedOption",
]


def _rebuild(cls: type[InngestGenError], args: tuple[Any, ...], state: dict[str, Any]) -> InngestGenError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InngestGenError(Exception):
    """The base of all errors of this package."""

    def __reduce__(self) -> tuple[Callable[..., InngestGenError], tuple[Any, ...]]:
        # Subclasses take keyword arguments, which the default pickling of exceptions would lose.
        return _rebuild, (type(self), self.args, self.__dict__)


class StepError(InngestGenError):
    """A step (or an invoked function) failed for good.

    It is thrown in at the yield of that step and can be caught there. `name` is the class name of the original error,
    `message` its text, `stack` its traceback as text (or None) and `cause` the original's `__cause__`, again as a StepError (or None).
    `step_id` is the id of the step as the handler wrote it; `no_retry` says that the step asked not to be tried again.
    """

    def __init__(
        self,
        name: str,
        message: str,
        stack: str | None = None,
        cause: StepError | None = None,
        *,
        step_id: str | None = None,
        data: Any = None,
        no_retry: bool = False,
    ) -> None:
        super().__init__(name, message)
        self.name: str = name
        self.message: str = message
        self.stack: str | None = stack
        self.cause: StepError | None = cause
        self.step_id: str | None = step_id
        self.data: Any = data
        self.no_retry: bool = no_retry
        self.memoized: bool = False
        """Set by the driver: this error is in the run's record, so another attempt of the handler would meet it again."""
        if cause is not None:
            self.__cause__: BaseException | None = cause

    def __str__(self) -> str:
        where = f"step {self.step_id!r}: " if self.step_id is not None else ""
        return f"{where}{self.name}: {self.message}" if self.message else f"{where}{self.name}"


class NonRetriableError(InngestGenError):
    """Raise it in a step body or in a handler when another attempt would fail as well: this attempt is the last."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message: str = message


class RetryAfterError(InngestGenError):
    """Raise it in a step body or in a handler to say when the next attempt may come.

    `after` is a duration (string such as "10s", number of seconds, timedelta) or an aware datetime.
    """

    def __init__(self, message: str, after: str | float | timedelta | datetime) -> None:
        super().__init__(message)
        self.message: str = message
        self.after: str | float | timedelta | datetime = after


class MisuseError(InngestGenError, TypeError):
    """A mistake in a handler or a step body. `where` is "file:line" where it was made, or None. Never retried."""

    def __init__(self, message: str, where: str | None = None) -> None:
        super().__init__(message)
        self.message: str = message
        self.where: str | None = where

    def __str__(self) -> str:
        return f"{self.message} ({self.where})" if self.where else self.message


class NonDeterminismError(InngestGenError):
    """A replay of unchanged code yielded something else than the record holds at that position.

    `position` counts the intents of the run from 0. `recorded` and `yielded` describe both intents (either can be None: nothing),
    `recorded_at` and `yielded_at` are "file:line" (or None), and `cause` is the likely reason.
    """

    def __init__(
        self,
        *,
        position: int,
        recorded: str | None,
        yielded: str | None,
        recorded_at: str | None,
        yielded_at: str | None,
        cause: str,
    ) -> None:
        super().__init__()
        self.position: int = position
        self.recorded: str | None = recorded
        self.yielded: str | None = yielded
        self.recorded_at: str | None = recorded_at
        self.yielded_at: str | None = yielded_at
        self.cause: str = cause

    def __str__(self) -> str:
        recorded = f"{self.recorded or 'nothing'}" + (f" at {self.recorded_at}" if self.recorded_at else "")
        yielded = f"{self.yielded or 'nothing more'}" + (f" at {self.yielded_at}" if self.yielded_at else "")
        return f"at position {self.position} the record holds {recorded}, but this replay yielded {yielded}; likely cause: {self.cause}"


class NotJSON(InngestGenError, ValueError):
    """A value that cannot become JSON. `what` names the value, `path` the place inside it, `type_name` the type found there."""

    def __init__(self, *, what: str, path: str, type_name: str, reason: str) -> None:
        super().__init__()
        self.what: str = what
        self.path: str = path
        self.type_name: str = type_name
        self.reason: str = reason

    def __str__(self) -> str:
        at = f" at {self.path}" if self.path else ""
        return f"{self.what} cannot become JSON: {self.reason}{at} (type {self.type_name})"


class SchemaError(InngestGenError, ValueError):
    """Data that does not fit a schema. `schema` is the schema's name, `reason` says what is wrong."""

    def __init__(self, *, schema: str, reason: str) -> None:
        super().__init__()
        self.schema: str = schema
        self.reason: str = reason

    def __str__(self) -> str:
        return f"data does not fit {self.schema}: {self.reason}"


class DeferError(InngestGenError, ValueError):
    """A defer that was skipped. Raised at the yield where `defer_errors="raise"`; otherwise the same sentence is logged."""

    def __init__(self, defer_id: str, reason: str) -> None:
        super().__init__(defer_id, reason)
        self.defer_id: str = defer_id
        self.reason: str = reason

    def __str__(self) -> str:
        return f"defer {self.defer_id!r} skipped: {self.reason}"


class MiddlewareError(InngestGenError):
    """A hook of a middleware failed, and the attempt with it. `hook` is "Class.hook"; the error it raised is the `__cause__`."""

    def __init__(self, hook: str, reason: str) -> None:
        super().__init__(hook, reason)
        self.hook: str = hook
        self.reason: str = reason

    def __str__(self) -> str:
        return f"{self.hook} failed: {self.reason}"


class DecryptionError(InngestGenError, ValueError):
    """Encrypted data that cannot be read: its key is not here, or it was changed or moved; or plain data where only encrypted is accepted."""


class ConfigError(InngestGenError, ValueError):
    """An app, a function or an option was declared wrongly; the message says what is allowed."""


class RecordingError(InngestGenError, ValueError):
    """A recording that cannot be read, or a path to redact that no value of it has; the message says where and what to do."""


class ApiError(InngestGenError):
    """The Inngest server did not answer, or refused what was asked of it.

    `what` says what that was ("sending 2 events"), `url` where the server is, `reason` what came of it. `status` is the HTTP status of the reply,
    or None if there was none; `hint` says what to do, where that is known.
    """

    def __init__(self, what: str, url: str, reason: str, *, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(what, url, reason)
        self.what: str = what
        self.url: str = url
        self.reason: str = reason
        self.status: int | None = status
        self.hint: str | None = hint

    def __str__(self) -> str:
        return f"{self.what} at {self.url} failed ({self.reason})" + (f": {self.hint}" if self.hint else "")


class EngineError(InngestGenError):
    """The embedded engine cannot do what was asked."""


class EngineLocked(EngineError):
    """Another engine has the database file open. `path` is the file, `holder` what is known of the other process (or None)."""

    def __init__(self, path: str, holder: str | None = None) -> None:
        super().__init__(path, holder)
        self.path: str = path
        self.holder: str | None = holder

    def __str__(self) -> str:
        by = f" ({self.holder})" if self.holder else ""
        return f"{self.path} is in use by another engine{by}: one engine a file; stop the other one or use another file"


class StoreError(EngineError):
    """The database is full, locked, corrupt, no database, or was written by a newer version. Nothing acknowledged was lost."""


class TooLarge(EngineError):
    """An event or a result is larger than the limit. `what` names it; `size` and `limit` are in bytes."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(what, size, limit)
        self.what: str = what
        self.size: int = size
        self.limit: int = limit

    def __str__(self) -> str:
        return f"{self.what} has {self.size:,} bytes; the limit is {self.limit:,}"


class UnsupportedOption(EngineError):
    """A function declares an option which the embedded engine does not honour yet. `function` is its id, `option` the option's name."""

    def __init__(self, function: str, option: str) -> None:
        super().__init__(function, option)
        self.function: str = function
        self.option: str = option

    def __str__(self) -> str:
        return f"function {self.function!r} declares {self.option}, which the embedded engine does not honour yet: remove it"


class RunNotFound(EngineError):
    """No run has that id. `run_id` is what was asked for."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id: str = run_id

    def __str__(self) -> str:
        return f"no run has the id {self.run_id!r}"


class ServerError(InngestGenError):
    """The test server (`inngest_gen.testing.Server`) cannot do what was asked, such as to register an app."""


class RunStuck(ServerError):
    """Runs on the test server do not end: `reason` says why they are waited for no longer, `logs` has the last calls of each."""

    def __init__(self, reason: str, logs: Sequence[str]) -> None:
        super().__init__(reason, tuple(logs))
        self.reason: str = reason
        self.logs: tuple[str, ...] = tuple(logs)

    def __str__(self) -> str:
        what = f"{len(self.logs)} runs have" if len(self.logs) != 1 else "a run has"
        return "\n\n".join([f"{what} not ended: {self.reason}", *self.logs])
