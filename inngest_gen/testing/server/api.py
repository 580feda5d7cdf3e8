"""The server's HTTP API, as a function from a request to a response: events, registration, checkpoints, signals, runs (sections D, E, F, J).

Answers, their words and their content types are those of Inngest's dev server; what it has and this one has not answers 501 and says so.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from inngest_gen.testing.server import event as events
from inngest_gen.testing.server import sessions, ulid
from inngest_gen.testing.server.canonical import canonical
from inngest_gen.testing.server.event import OWN
from inngest_gen.testing.server.http import Request, Response
from inngest_gen.testing.server.metadata import TooLarge, read_updates
from inngest_gen.testing.server.registration import App, Function, Invalid, read_app
from inngest_gen.testing.server.rules import finalize, waits
from inngest_gen.testing.server.rules.checkpoint import Refused, checkpoint
from inngest_gen.testing.server.run import Call, ServerRun
from inngest_gen.testing.server.signature import hashed
from inngest_gen.testing.server.world import World

__all__ = ["Api", "route_name"]

_EVENTS: Final = 5000
_EVENT_BYTES: Final = 3 * 1024 * 1024
_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"  # what Go makes of JSON where nobody told it
_ENVIRONMENT: Final = "00000000-0000-4000-b000-000000000000"
_NEVER: Final = "0001-01-01T00:00:00Z"  # Go's zero time

ROUTES: Final = {
    "events": ("POST", re.compile(r"/e/([^/]*)")),
    "invoke": ("POST", re.compile(r"/invoke/(.+)")),
    "register": ("POST", re.compile(r"/fn/register")),
    "checkpoint": ("POST", re.compile(r"/v1/checkpoint/([^/]+)/async")),
    "sync-checkpoint": ("POST", re.compile(r"/v1/checkpoint(?:/[^/]+/steps)?/?")),
    "signals": ("POST", re.compile(r"/v1/signals")),
    "batch": ("GET", re.compile(r"/v0/runs/([^/]+)/batch")),
    "actions": ("GET", re.compile(r"/v0/runs/([^/]+)/actions")),
    "cancel": ("DELETE", re.compile(r"/v[01]/runs/([^/]+)")),
    "run": ("GET", re.compile(r"/v1/runs/([^/]+)")),
    "functions": ("GET", re.compile(r"/v1/apps/([^/]+)/functions")),
    "metadata": ("POST", re.compile(r"/v1/runs/([^/]+)/metadata")),
    "event": ("GET", re.compile(r"/v1/events/([^/]+)")),
    "event-runs": ("GET", re.compile(r"/v1/events/([^/]+)/runs")),
    "health": ("GET", re.compile(r"/health")),
    "dev": ("GET", re.compile(r"/dev")),
}
_OPEN: Final = frozenset({"events", "invoke", "health", "dev"})
"""Routes that need no signing key."""


def _find(request: Request) -> tuple[str, str] | None:
    for name, (method, pattern) in ROUTES.items():
        found = pattern.fullmatch(request.path)
        # The SDKs differ in whether they POST or PUT a registration.
        if found and (request.method == method or (name == "register" and request.method == "PUT")):
            return name, "".join(found.groups())
    return None


def route_name(request: Request) -> str:
    """Give the name of a request's route, "" where there is none: what faults are told by."""
    found = _find(request)
    return found[0] if found else ""


class _Refusal(Exception):
    def __init__(self, status: int, reason: str, data: Any = None) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.data = data


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, with what stands in its path for the route's variable, and the time."""

    request: Request
    part: str
    now: float

    @property
    def body(self) -> Any:
        try:
            return self.request.json
        except ValueError as error:
            raise _Refusal(400, f"invalid request body: {error}") from None


@dataclass(slots=True, kw_only=True)
class Api:
    """The API of a world. Without a signing key everybody may do everything, as on the dev server."""

    world: World
    kind: str
    signing_key: str | None
    event_keys: tuple[str, ...]

    def respond(self, request: Request, now: float) -> Response:
        """Answer a request."""
        found = _find(request)
        if found is None:
            return self._answer(404, b"404 page not found\n", _TEXT)
        name, part = found
        try:
            if name not in _OPEN:
                self._check_key(request)
            response = _HANDLERS[name](self, _Asked(request, part, now))
        except _Refusal as refusal:
            error = {"error": refusal.reason, "data": refusal.data, "status": refusal.status}
            response = self._json(error, refusal.status)
        return response

    def _answer(self, status: int, body: bytes, content_type: str) -> Response:
        return Response(status=status, body=body, headers={"Content-Type": content_type, "X-Inngest-Server-Kind": self.kind})

    def _json(self, value: Any, status: int = 200, content_type: str = _JSON) -> Response:
        return self._answer(status, json.dumps(value).encode() + b"\n", content_type)

    def _check_key(self, request: Request) -> None:
        if self.signing_key is None:
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        # The Python SDK leaves out the key's prefix.
        wanted = hashed(self.signing_key)
        if not any(hmac.compare_digest(given.encode(), one.encode()) for one in (wanted, wanted[-64:])):
            raise _Refusal(401, "Unauthorized")

    def log(self, request: Request, response: Response | None, now: float, problem: str | None) -> None:
        """Write a request down; a checkpoint with its run, too."""
        name, part = _find(request) or ("", "")
        try:
            body = request.json
        except ValueError:
            body = None
        call = Call(
            direction="server",
            url=request.path,
            step="",
            attempt=0,
            generation=body.get("generation_id") or 0 if isinstance(body, Mapping) else 0,
            at=now,
            headers=request.headers,
            body=request.body,
            status=response.status if response is not None else None,
            reply_headers=response.headers if response is not None else {},
            reply=response.body if response is not None else b"",
            error=problem,
            handled=True,
        )
        self.world.requests.append(call)
        if name == "checkpoint" and part in self.world.runs:
            self.world.runs[part].calls.append(call)

    def _run(self, asked: _Asked) -> ServerRun | None:
        if not ulid.is_ulid(asked.part):
            raise _Refusal(400, f"Invalid run ID: {asked.part}")
        return self.world.runs.get(asked.part)

    # Events

    def events(self, asked: _Asked) -> Response:
        if not asked.part:
            return self._json({"status": 401, "error": "Event key is required"}, 401)
        if self.event_keys and asked.part not in self.event_keys:
            return self._json({"status": 401, "error": "Event key not found"}, 401)
        ids: list[str] = []
        try:
            for place, raw in enumerate(_event_list(asked.request)):
                event = events.inbound(raw, asked.now)
                if len(canonical(event).encode()) > _EVENT_BYTES:
                    raise ValueError(f"event is larger than {_EVENT_BYTES} bytes")
                internal = ulid.seeded(asked.request.headers.get("x-inngest-event-id-seed", ""), place + 1) or self.world.ids.ulid(
                    asked.now
                )
                self.world.publish({**event, "id": event["id"] or internal}, internal)
                ids.append(internal)
        except ValueError as error:
            # Those before the one at fault are taken.
            return self._json({"ids": ids or [""], "status": 400, "error": str(error)}, 400, _TEXT)
        return self._json({"ids": ids, "status": 200}, 200, _TEXT)

    def invoke(self, asked: _Asked) -> Response:
        value = asked.body
        if not isinstance(value, Mapping) or not isinstance(value.get("data") or {}, Mapping):
            raise _Refusal(400, "Unable to read post data request")
        try:
            carried = sessions.resolve(value.get("meta"))
        except ValueError:
            raise _Refusal(400, "Invalid invocation event") from None
        own = {"fn_id": asked.part, "expire": 0, "gid": "", "name": "", "source_app_id": "", "source_fn_id": "", "source_fn_v": 0}
        event_id = self.world.ids.ulid(asked.now)
        data = {**(value.get("data") or {}), OWN: own}
        self.world.publish(events.stored(events.INVOKED, data, id=event_id, ts=int(asked.now * 1000), sessions=carried))
        return self._json({"id": event_id, "status": 200}, 200, _TEXT)

    # Apps

    def register(self, asked: _Asked) -> Response:
        expected = asked.request.headers.get("x-inngest-expected-server-kind", "")
        if expected and expected != self.kind:
            return self._json({"error": f"Expected server kind {self.kind}, got {expected}"}, 400, _TEXT)
        try:
            app = read_app(asked.body)
        except Invalid as invalid:
            raise _Refusal(400, "At least one function is invalid", {"problems": list(invalid.problems)}) from None
        answer = {"ok": True, "modified": self.take_app(app), "sync_id": self.world.ids.uuid(), "app_id": app.id}
        return self._json(answer, 200, _TEXT)

    def take_app(self, app: App) -> bool:
        """Let an app be known, in the place of the one of that name before; says whether that is news."""
        earlier = self.world.apps.get(app.name)
        if earlier is not None and canonical(earlier.payload) == canonical(app.payload):
            return False
        for function in earlier.functions if earlier is not None else ():
            self.world.functions.pop(function.slug, None)
        self.world.apps[app.name] = app
        self.world.functions.update({function.slug: function for function in app.functions})
        return True

    # Runs

    def checkpoint(self, asked: _Asked) -> Response:
        try:
            checkpoint(self.world, self._run(asked), asked.body, asked.now)
        except Refused as refused:
            raise _Refusal(refused.status, refused.reason, {"run_id": asked.part}) from None
        return self._answer(200, b"", _JSON)

    def sync_checkpoint(self, _: _Asked) -> Response:
        raise _Refusal(501, "the test server has no synchronous checkpoints (durable endpoints)")

    def signals(self, asked: _Asked) -> Response:
        body = asked.body
        if not isinstance(body, Mapping) or not isinstance(body.get("signal", ""), str):
            raise _Refusal(400, "Invalid signal data")
        if not body.get("signal"):
            raise _Refusal(500, "Failed to receive signal")
        run_id = waits.resume_by_signal(self.world, body["signal"], body.get("data"), asked.now)
        if run_id is None:
            raise _Refusal(404, "No signal found")
        return self._data({"run_id": run_id}, asked.now)

    def batch(self, asked: _Asked) -> Response:
        run = self._state(asked)
        return self._json([events.shown(event) for event in run.events], 200, _TEXT)

    def actions(self, asked: _Asked) -> Response:
        run = self._state(asked)
        return self._json({step.hash: step.value for step in run.steps.values()}, 200, _TEXT)

    def _state(self, asked: _Asked) -> ServerRun:
        if not ulid.is_ulid(asked.part):
            raise _Refusal(400, "run ID is invalid")
        run = self.world.runs.get(asked.part)
        if run is None or run.ended:
            raise _Refusal(410, f"runtime state is no longer available for runID: {asked.part}")
        return run

    def cancel(self, asked: _Asked) -> Response:
        run = self._run(asked)
        if run is None:
            raise _Refusal(404, f"Unable to load function run: {asked.part}")
        finalize.cancel(self.world, run, asked.now)
        return self._answer(200, b"", _JSON)

    def run(self, asked: _Asked) -> Response:
        run = self._run(asked)
        if run is None:
            raise _Refusal(500, f"Unable to load function run: {asked.part}")
        return self._data(_shown(run), asked.now)

    def functions(self, asked: _Asked) -> Response:
        app = self.world.apps.get(asked.part)
        # An id of the server's own under "internal_id", the slug under "id" (pkg/cqrs/functions.go).
        if app is None:
            return self._json([])
        return self._json([_listed(app, one) for one in sorted(app.functions, key=lambda one: one.id)])

    def metadata(self, asked: _Asked) -> Response:
        run, body = self._run(asked), asked.body
        if not isinstance(body, Mapping) or not isinstance(body.get("target") or {}, Mapping):
            raise _Refusal(400, "Invalid metadata target")
        target = body.get("target") or {}
        if target.get("step_id") is None and any(target.get(key) is not None for key in ("step_index", "step_attempt", "span_id")):
            raise _Refusal(400, "Invalid metadata target")
        try:
            updates = read_updates(body.get("metadata") or [])
        except TooLarge as large:
            raise _Refusal(413, str(large)) from None
        except ValueError:
            raise _Refusal(400, "Invalid metadata") from None
        if run is not None:
            run.metadata.extend({"target": target, **update} for update in updates)
        return self._answer(200, b"", _JSON)

    def event(self, asked: _Asked) -> Response:
        found = self.world.received.get(asked.part)
        if found is None:
            raise _Refusal(404, "Event not found")
        return self._data(events.shown(found), asked.now)

    def event_runs(self, asked: _Asked) -> Response:
        wanted = self.world.received.get(asked.part)
        runs = [run for run in self.world.runs.values() if any(event is wanted for event in run.events)]
        return self._data([_shown(run) for run in runs], asked.now)

    def _data(self, value: Any, now: float) -> Response:
        return self._json({"data": value, "metadata": {"fetched_at": _moment(now), "cached_until": None}})

    def health(self, _: _Asked) -> Response:
        return self._json({"status": 200, "message": "OK"})

    def dev(self, _: _Asked) -> Response:
        functions = [{"id": one.id, "slug": one.slug, "name": one.name} for one in self.world.functions.values()]
        return self._json({"version": "inngest-gen test server", "functions": functions})


_Handler = Callable[[Api, _Asked], Response]
_HANDLERS: Final[dict[str, _Handler]] = {name: getattr(Api, name.replace("-", "_")) for name in ROUTES}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def _shown(run: ServerRun) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "run_id": run.id,
        "run_started_at": _moment(run.created_at),
        "function_id": run.book.function_id,
        "function_version": 1,
        "environment_id": _ENVIRONMENT,
        "event_id": run.event["id"],
        "status": {"queued": "Scheduled"}.get(run.status, run.status.capitalize()),
        "ended_at": None if run.ended_at is None else _moment(run.ended_at),
    }
    if run.ended:
        shown["output"] = run.error if run.error is not None else run.output
    return shown


def _listed(app: App, function: Function) -> dict[str, Any]:
    return {
        "internal_id": function.id,
        "env_id": _ENVIRONMENT,
        "app_id": app.id,
        "id": function.slug,
        "name": function.name,
        "config": dict(function.config),
        "created_at": _NEVER,
        "archived_at": _NEVER,
    }


def _event_list(request: Request) -> list[Any]:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type.startswith("multipart/") or content_type == "application/x-www-form-urlencoded":
        raise ValueError(f"unsupported content type: {content_type}")
    value = request.json
    many = value if isinstance(value, list) else [value]
    if len(many) > _EVENTS:
        raise ValueError(f"a request may have at most {_EVENTS} events")
    return many
