"""Whatever is sent as a call, the answer is a reply: with a reason where it is a refusal, in time, and without a secret, as are the log's lines.

Bodies are real calls (tests/captures), changed at any place in any way that JSON has, and JSON made up in the shape of calls; they go through the whole
ASGI application, in dev mode, where nobody is asked for a signature, and in cloud mode, signed and not.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import anyio
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inngest_gen.clock import SystemClock
from inngest_gen.ids import step_hash
from inngest_gen.net.api import Api
from inngest_gen.protocol.signature import sign
from inngest_gen.serving.asgi import Served
from inngest_gen.serving.endpoint import Endpoint
from tests.protocol.captured import body, exchanges
from tests.serving import scenarios
from tests.serving.test_server import OUTPUTS

KEY = "signkey-test-5ec4e7c0ffee5ec4e7c0ffee"
EVENT_KEY = "an-event-key-that-is-secret"
SECRETS = (KEY.removeprefix("signkey-test-"), EVENT_KEY)

HASHES = [
    step_hash(id)
    for id in ("a", "b", "a:1", "p1", "p2", "after", "before", "nap", "until", "flaky", "dead", "call", "work", "send", "foo", "deliver")
]


class NoServer(Api):
    """Nothing is sent anywhere: checkpoints are taken, and a record that is fetched has nothing of use."""

    async def checkpoint(self, run_id: str, body: bytes) -> bool:
        orjson.loads(body)
        return True

    async def batch(self, run_id: str) -> bytes:
        return b"[]"

    async def actions(self, run_id: str) -> bytes:
        return b'{"x": {"data": 1}}'


@cache
def served(mode: str, *, dev: bool) -> Served:
    keys: dict[str, Any] = {"dev": True} if dev else {"dev": False, "signing_key": KEY}
    app = scenarios.make(f"js-{mode}", checkpointing=mode == "ckpt", event_key=EVENT_KEY, **keys)
    return Served(Endpoint(app, api=NoServer(app.settings)))


@dataclass(frozen=True)
class Sent:
    """A request for an app: `mode` says which, `query` and `raw` what is asked."""

    mode: str
    query: str
    raw: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


@cache
def captured() -> list[tuple[str, str, bytes]]:
    return [
        (mode, one.path.partition("?")[2], body(one))
        for mode in ("ckpt", "nockpt")
        for scenario in OUTPUTS
        for one in exchanges(f"js-{mode}.{scenario}")
        if one.direction == "server->sdk" and one.method == "POST"
    ]


# What JSON can be, odd ends included.

odd = st.sampled_from(  # copied where it is put into a call, which is changed then
    [None, True, False, 0, -1, 1.5, 2**53, 2**63 - 1, -(2**63), 1e308, "", " ", "\x00", "\u2028", "\\", "step", "null", "é", "😀", "0" * 300, [], {}, [[]], [{}],
     {"data": None}, {"error": None}, {"error": {"name": 1, "message": []}}, {"data": 1, "error": 2}, {"type": "data", "data": 1}, {"input": [1]}, {"input": {}},
     {"stack": None, "current": -1}, {"name": "", "data": []}, {"name": "x", "data": {}, "ts": "soon"}, {"name": "inngest/function.finished", "data": {"run_id": 1}}]
)  # fmt: skip
values = st.recursive(
    odd | st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.sampled_from(["data", "error", "name", "message", "stack", "input", "type", "ts", "id"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container within, with each of its keys or indexes."""
    if isinstance(value, dict):
        for key in list(value):
            yield value, key
            yield from places(value[key])
    elif isinstance(value, list):
        for index in range(len(value)):
            yield value, index
            yield from places(value[index])


@st.composite
def mutated(draw: Any) -> Sent:
    """A real call, changed in up to four places, then maybe in its bytes, its query and its headers."""
    mode, query, raw = draw(st.sampled_from(captured()))
    call = orjson.loads(raw)
    for _ in range(draw(st.integers(0, 4))):
        found = list(places(call))
        if not found:
            break
        where, key = draw(st.sampled_from(found))
        match draw(st.sampled_from(["replace", "replace", "remove", "add", "wrap", "many"])):
            case "replace":
                where[key] = deepcopy(draw(values))
            case "remove":
                del where[key]
            case "add" if isinstance(where, dict):
                where[draw(st.text(max_size=6) | st.sampled_from(HASHES))] = deepcopy(draw(values))
            case "add":
                where.insert(key, deepcopy(draw(values)))
            case "wrap":
                where[key] = [where[key]]
            case _:
                where[key] = [deepcopy(where[key]) for _ in range(draw(st.integers(0, 50)))]
    raw = orjson.dumps(call)
    match draw(st.sampled_from(["as it is"] * 6 + ["cut", "flip", "insert", "twice", "deep", "number"])):
        case "cut":
            raw = raw[: draw(st.integers(0, len(raw)))]
        case "flip":
            at = draw(st.integers(0, len(raw) - 1))
            raw = raw[:at] + bytes([draw(st.integers(0, 255))]) + raw[at + 1 :]
        case "insert":
            at = draw(st.integers(0, len(raw)))
            raw = (
                raw[:at] + draw(st.binary(max_size=8) | st.sampled_from([b"NaN", b"1e999", b"\xef\xbb\xbf", b"\\ud800", b",,"])) + raw[at:]
            )
        case "twice":
            raw = raw[:-1] + b',"ctx":{},' + raw[1:] if raw.startswith(b"{") else raw + raw
        case "deep":
            raw = raw.replace(b"null", b"[" * 5000 + b"]" * 5000, 1)
        case "number":
            raw = raw.replace(
                b'"attempt":0', b'"attempt":' + draw(st.sampled_from([b"1" * 400, b"-1", b"1e400", b"0.5", b"18446744073709551616"]))
            )
        case _:
            pass
    return Sent(mode, draw(queries(query, mode)), raw, draw(st.just(()) | headers()))


def queries(query: str, mode: str) -> st.SearchStrategy[str]:
    """A call's query, and others."""
    steps = st.sampled_from(HASHES) | st.sampled_from(["step", "", "%00", "x" * 200])
    names = st.sampled_from([*OUTPUTS, "send", "noschema", "child", "none", ""])
    made = st.builds(lambda name, step: f"fnId=js-{mode}-{name}&stepId={step}", names, steps)
    strange = st.sampled_from(["", "fnId", "fnId=&stepId=", "probe=trust", "probe=%F0", "&&=&", "fnId=%FF%FE&stepId=%"])
    return st.integers(0, 9).flatmap(lambda chance: strange if chance == 5 else made if chance in {3, 6, 7} else st.just(query))


def headers() -> st.SearchStrategy[tuple[tuple[bytes, bytes], ...]]:
    """Headers that are looked at, with any value."""
    names = st.sampled_from(
        [b"x-inngest-generation-id", b"x-request-id", b"x-inngest-step-id", b"x-inngest-server-kind", b"content-length", b"content-encoding",
         b"traceparent", b"x-inngest-signature", b"content-type", b"host", b"x-inngest-job-id"]
    )  # fmt: skip
    text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20).map(lambda one: one.encode("latin-1"))
    return st.lists(st.tuples(names, text | st.sampled_from([b"gzip", b"9" * 5000, b"-1", b"t=1&s=2", b"0"])), max_size=3).map(tuple)


@st.composite
def made_up(draw: Any) -> Sent:
    """JSON in the shape of a call."""

    def maybe(good: Any) -> Any:
        chance = draw(st.integers(0, 19))
        return draw(values) if chance == 7 else ... if chance == 13 else good  # not 0: Hypothesis is fond of it

    mode = draw(st.sampled_from(["ckpt", "nockpt"]))
    recorded = draw(
        st.dictionaries(st.sampled_from(HASHES) | st.text(max_size=5), values | values.map(lambda one: {"data": one}), max_size=5)
    )
    stack = draw(st.permutations(list(recorded)) | st.lists(st.sampled_from(HASHES), max_size=4))
    event = {
        "name": maybe("go"),
        "data": maybe({"to": "a@b.c", "_inngest": maybe({"parent_fn_slug": "x", "parent_run_id": "y"})}),
        "id": maybe("E"),
        "ts": maybe(1_795_355_000_000),
    }
    ctx = {
        "attempt": maybe(0), "max_attempts": maybe(3), "disable_immediate_execution": maybe(False), "use_api": maybe(False), "run_id": maybe("01M81RASKSAK7FY1P7FRJ85TMY"),
        "fn_id": maybe("f"), "qi_id": maybe("q"), "stack": maybe({"stack": stack, "current": maybe(len(stack))}), "request_id": maybe("r"), "generation_id": maybe(1),
        "job_id": maybe("j"),
    }  # fmt: skip
    call = {
        "ctx": maybe(known(ctx)), "event": maybe(known(event)), "events": maybe([known(event)]), "steps": maybe(recorded), "version": maybe(2), "use_api": maybe(False),
        "defers": maybe({hash: {"abortable": maybe(True)} for hash in draw(st.lists(st.sampled_from(HASHES), max_size=3))}),
    }  # fmt: skip
    raw = orjson.dumps(known(call), default=lambda _: None)
    return Sent(mode, draw(queries(f"fnId=js-{mode}-steps&stepId=step", mode)), raw, draw(st.just(()) | headers()))


def known(value: dict[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in value.items() if one is not ...}


# What is held.


class Kept(logging.Handler):
    """Keeps all that is logged, as it would be read."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + repr(vars(record)) + "\n"


@contextmanager
def logged() -> Iterator[Kept]:
    kept = Kept()
    root = logging.getLogger()
    root.addHandler(kept)
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
        yield kept
    finally:
        root.setLevel(level)
        root.removeHandler(kept)


async def ask(application: Served, sent: Sent, *, signed: bool) -> tuple[int, dict[str, str], bytes]:
    received = iter([{"type": "http.request", "body": sent.raw, "more_body": False}])
    messages: list[Any] = []

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        messages.append(message)

    own = [(b"x-inngest-signature", sign(sent.raw, KEY, SystemClock().now()).encode())] if signed else []
    scope = {
        "type": "http", "method": "POST", "path": "/api/inngest", "query_string": sent.query.encode("latin-1"), "scheme": "http",
        "headers": [(b"host", b"shop.example.com"), *own, *sent.headers],
    }  # fmt: skip
    with anyio.fail_after(20):
        await application(scope, receive, send)
    start, told = messages
    return start["status"], {name.decode(): value.decode("latin-1") for name, value in start["headers"]}, told["body"]


async def holds(sent: Sent) -> None:
    for dev, signed in ((True, False), (False, True), (False, False)):
        with logged() as log:
            status, replied, told = await ask(served(sent.mode, dev=dev), sent, signed=signed)
        assert not [secret for secret in SECRETS if secret in log.text or secret.encode() in told or secret in str(replied)]
        if not dev and not signed:
            assert status in {401, 413, 415, 400}, (status, told)
            assert not {name for name in replied if name.startswith("x-inngest") and name != "x-inngest-sdk-handled"}
        if status == 206:
            assert all(op["op"] and op["id"] for op in orjson.loads(told)), told
        elif status == 200:
            assert not told or orjson.loads(told) is not ...
        else:
            assert status in {400, 401, 413, 415, 500}, (status, told)
            reason = orjson.loads(told)
            assert isinstance(reason["message"], str), told
            assert reason["message"], told
            assert reason.get("code") != "internal_server_error", (told, log.text)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("strategy", [mutated, made_up], ids=lambda one: one.__name__)
def test_every_call_has_a_reply_that_says_why_and_tells_no_secret(
    strategy: Callable[[], st.SearchStrategy[Sent]], loop: str, soak: bool
) -> None:
    # Hypothesis shrinks what it has found; so each example has a loop of its own, as its process might be new.
    search = given(strategy())(lambda sent: anyio.run(holds, sent, backend=loop))
    settings(max_examples=10_000 if soak else 100, suppress_health_check=list(HealthCheck))(search)()
