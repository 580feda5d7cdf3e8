"""The recording format: a Recording as JSON and back. docs/reference/recording.md is its description for others.

Promises: a version that was released is read for ever, and read the same; keys that a reader does not know are skipped, so that a later writer may
add some. Refuses, naming the place: what is no recording, what is of a later version, what has another type than the format says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast, get_args

import orjson

from inngest_gen import jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.request import Parent
from inngest_gen.errors import ConfigError, RecordingError
from inngest_gen.event import Event
from inngest_gen.recording.recording import (
    DeferStatus,
    RecordedAttempt,
    RecordedDefer,
    RecordedNote,
    RecordedStep,
    Recording,
    RunKind,
    RunStatus,
    StepStatus,
)

FORMAT: Final = "inngest_gen recording"
VERSION: Final = 1

T = TypeVar("T")


# Writing.


def dumps(recording: Recording) -> bytes:
    """Write a recording as indented JSON in UTF-8, of the newest version."""
    return orjson.dumps(document(recording), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def document(recording: Recording) -> dict[str, Any]:
    """Give a recording as JSON values. They are the caller's own."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_by": recording.made_by,
        "redacted": list(recording.redacted),
        "run_id": recording.run_id,
        "app": recording.app,
        "function": recording.function,
        "kind": recording.kind,
        "status": recording.status,
        "parent_run_id": recording.parent_run_id,
        "created": _time(recording.created),
        "started": _time(recording.started),
        "ended": _time(recording.ended),
        "attempt": recording.attempt,
        "max_attempts": recording.max_attempts,
        "code": None if recording.code is None else dict(recording.code),
        "events": [_event(event) for event in recording.events],
        "parents": [{"run_id": one.run_id, "fn_slug": one.fn_slug, "experiment": one.experiment} for one in recording.parents],
        "failure": _failure(recording.failure),
        "sessions": dict(recording.sessions),
        "steps": [_step(step) for step in recording.steps],
        "defers": [_defer(defer) for defer in recording.defers],
        "notes": [{"kind": note.kind, "at": _time(note.at), "text": note.text} for note in recording.notes],
        **({} if recording.output is None else {"output": jsonvalue.decode(recording.output)}),
        "error": _failure(recording.error),
    }


def _event(event: Event) -> dict[str, Any]:
    return {"name": event.name, "data": event.data, "id": event.id, "ts": event.ts, "meta": event.meta}


def _step(step: RecordedStep) -> dict[str, Any]:
    return {
        "id": step.id,
        "name": step.name,
        "hash": step.hash,
        "index": step.index,
        "kind": step.kind,
        "position": step.position,
        "path": step.path,
        "at": step.at,
        "options": dict(step.options),
        "status": step.status,
        "rank": step.rank,
        **({} if step.data is None else {"result": jsonvalue.decode(step.data)}),
        "error": _failure(step.error),
        "attempts": [
            {
                "number": one.number,
                "started": _time(one.started),
                "at": _time(one.at),
                "error": _failure(one.error),
                "retry_at": _time(one.retry_at),
            }
            for one in step.attempts
        ],
        "attempt": step.attempt,
        "started": _time(step.started),
        "ended": _time(step.ended),
        "due": _time(step.due),
    }


def _defer(defer: RecordedDefer) -> dict[str, Any]:
    return {
        "id": defer.id,
        "name": defer.name,
        "hash": defer.hash,
        "function": defer.function,
        "step": defer.step,
        "status": defer.status,
        "reason": defer.reason,
        "run_id": defer.run_id,
        **({} if defer.data is None else {"data": jsonvalue.decode(defer.data)}),
        "meta": defer.meta,
        "experiment": defer.experiment,
    }


def _failure(failure: Failure | None) -> dict[str, Any] | None:
    return None if failure is None else failure.to_json()


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


# Reading.


def loads(data: bytes | str) -> Recording:
    """Read a recording of any version. Raises RecordingError."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RecordingError(f"this is no recording: it is no JSON ({error})") from None
    return read(value)


def read(value: object) -> Recording:
    """Read a recording that is JSON values already; takes them over. Raises RecordingError."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise RecordingError(f'this is no recording: a recording is a JSON object with "format": "{FORMAT}"')
    version = value.get("version")
    reader = _READERS.get(version) if isinstance(version, int) else None
    if reader is None:
        if isinstance(version, int) and version > VERSION:
            raise RecordingError(f"the recording is of version {version}, this inngest_gen reads up to {VERSION}: upgrade inngest_gen")
        raise RecordingError(f"the recording is of version {version!r}, which never was")
    return reader(_Object(value, ""))


class _Object:
    """A JSON object whose parts are taken by key and type; `at` is its place in the file, for errors."""

    __slots__ = ("at", "value")

    def __init__(self, value: Mapping[str, Any], at: str) -> None:
        self.value = value
        self.at = at

    def wrong(self, key: str, wanted: str) -> RecordingError:
        found = self.value.get(key)
        return RecordingError(f"the recording is damaged: {self.at}{key} must be {wanted}, not {_shown(found)}")

    def text(self, key: str) -> str:
        found = self.value.get(key)
        if isinstance(found, str):
            return found
        raise self.wrong(key, "a string")

    def some_text(self, key: str) -> str | None:
        return None if self.value.get(key) is None else self.text(key)

    def word(self, key: str, words: tuple[str, ...]) -> str:
        found = self.value.get(key)
        if found in words:
            return cast("str", found)
        raise self.wrong(key, f"one of {', '.join(words)}")

    def number(self, key: str, default: int) -> int:
        found = self.value.get(key, default)
        if isinstance(found, int) and not isinstance(found, bool):
            return found
        raise self.wrong(key, "an integer")

    def some_number(self, key: str) -> int | None:
        return None if self.value.get(key) is None else self.number(key, 0)

    def time(self, key: str) -> datetime | None:
        found = self.value.get(key)
        if found is None:
            return None
        try:
            when = datetime.fromisoformat(found)
        except (TypeError, ValueError):
            raise self.wrong(key, "a time such as 2026-11-29T16:00:00.000000Z") from None
        if when.tzinfo is None:
            raise self.wrong(key, "a time with its zone")
        return when

    def mapping(self, key: str) -> dict[str, Any]:
        found = self.value.get(key)
        if found is None:
            return {}
        if isinstance(found, dict):
            return found
        raise self.wrong(key, "an object")

    def list(self, key: str, item: Callable[[_Object], T]) -> tuple[T, ...]:
        found = self.value.get(key)
        if found is None:
            return ()
        if not isinstance(found, list):
            raise self.wrong(key, "a list")
        return tuple(
            item(_Object(one if isinstance(one, dict) else self._no_object(key, n), f"{self.at}{key}[{n}].")) for n, one in enumerate(found)
        )

    def _no_object(self, key: str, n: int) -> dict[str, Any]:
        raise RecordingError(f"the recording is damaged: {self.at}{key}[{n}] must be an object")

    def json(self, key: str) -> bytes | None:
        return orjson.dumps(self.value[key]) if key in self.value else None

    def failure(self, key: str) -> Failure | None:
        found = self.value.get(key)
        if found is None:
            return None
        if isinstance(found, dict):
            return Failure.from_json(found)
        raise self.wrong(key, "an error or null")


def _read_1(top: _Object) -> Recording:
    code = top.value.get("code")
    return Recording(
        made_by=top.some_text("made_by") or "",
        redacted=tuple(map(str, top.value.get("redacted") or ())),
        run_id=top.text("run_id"),
        app=top.some_text("app"),
        function=top.text("function"),
        kind=cast("RunKind", top.word("kind", get_args(RunKind))),
        status=cast("RunStatus", top.word("status", get_args(RunStatus))),
        parent_run_id=top.some_text("parent_run_id"),
        created=top.time("created"),
        started=top.time("started"),
        ended=top.time("ended"),
        attempt=top.number("attempt", 0),
        max_attempts=top.some_number("max_attempts"),
        code=None if code is None else {name: str(hash) for name, hash in top.mapping("code").items()},
        events=top.list("events", _read_event),
        parents=top.list("parents", lambda one: Parent(one.text("run_id"), one.text("fn_slug"), one.value.get("experiment"))),
        failure=top.failure("failure"),
        sessions=top.mapping("sessions"),
        steps=top.list("steps", _read_step),
        defers=top.list("defers", _read_defer),
        notes=top.list("notes", lambda one: RecordedNote(kind=one.text("kind"), at=one.time("at"), text=one.text("text"))),
        output=top.json("output"),
        error=top.failure("error"),
    )


def _read_event(one: _Object) -> Event:
    try:
        return Event(
            one.text("name"),
            one.mapping("data"),
            id=one.some_text("id"),
            ts=one.some_number("ts"),
            meta=None if one.value.get("meta") is None else one.mapping("meta"),
        )
    except ConfigError as error:
        raise RecordingError(f"the recording is damaged: {one.at.rstrip('.')}: {error}") from None


def _read_step(one: _Object) -> RecordedStep:
    return RecordedStep(
        id=one.text("id"),
        name=one.some_text("name") or "",
        hash=one.text("hash"),
        index=one.number("index", 0),
        kind=one.some_text("kind"),
        position=one.some_number("position"),
        path=one.some_text("path") or "",
        at=one.some_text("at"),
        options=one.mapping("options"),
        status=cast("StepStatus", one.word("status", get_args(StepStatus))),
        rank=one.some_number("rank"),
        data=one.json("result"),
        error=one.failure("error"),
        attempts=one.list("attempts", _read_attempt) if one.value.get("attempts") else (),
        attempt=one.some_number("attempt"),
        started=one.time("started"),
        ended=one.time("ended"),
        due=one.time("due"),
    )


def _read_attempt(one: _Object) -> RecordedAttempt:
    error = one.failure("error")
    if error is None:
        raise one.wrong("error", "an error")
    return RecordedAttempt(
        number=one.number("number", 0), at=one.time("at"), error=error, retry_at=one.time("retry_at"), started=one.time("started")
    )


def _read_defer(one: _Object) -> RecordedDefer:
    return RecordedDefer(
        id=one.text("id"),
        name=one.some_text("name") or "",
        hash=one.text("hash"),
        function=one.some_text("function"),
        step=one.some_text("step"),
        status=cast("DeferStatus", one.word("status", get_args(DeferStatus))),
        reason=one.some_text("reason"),
        run_id=one.some_text("run_id"),
        data=one.json("data"),
        meta=one.value.get("meta"),
        experiment=one.value.get("experiment"),
    )


_READERS: Final[dict[int, Callable[[_Object], Recording]]] = {1: _read_1}


def _shown(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."
