"""Laws: whatever an app answers, the server goes on; whatever comes over the API, it answers."""

import contextlib
import json
import re
from typing import Any

import anyio
import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from inngest_gen.errors import RunStuck
from inngest_gen.testing import Server
from inngest_gen.testing.server.api import ROUTES
from inngest_gen.testing.server.opcode import OPCODES
from inngest_gen.testing.server.registration import Invalid, read_app
from tests.testing.server.scripted import Answer, post, sha, start

EXAMPLES = settings().max_examples // 4
"""Each starts a server."""

names = st.sampled_from("abc")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "id", "op", "opts", "name", "input", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
texts = st.sampled_from(
    ["1s", "1h", "", "soon", "2020-01-01T00:00:00Z", "paid", "event.data.x == async.data.x", "app-go", "door", "race", "replace"]
)
opts = st.fixed_dictionaries(
    {},
    optional={
        "timeout": texts,
        "if": texts,
        "event": texts,
        "signal": texts,
        "conflict": texts,
        "duration": texts,
        "function_id": texts,
        "payload": json_values,
        "fn_slug": texts,
        "input": json_values,
        "meta": json_values,
        "target_hashed_id": names.map(sha),
        "parallelMode": texts,
        "url": st.just("http://127.0.0.1:1/"),
        "headers": json_values,
    },
)
ops = st.builds(
    lambda op, name, opts, data: {
        "op": op,
        "id": sha(name),
        "name": name,
        "opts": opts,
        "data": data,
        "error": {"name": "E", "message": "m"},
    },
    st.sampled_from(sorted(OPCODES)),
    names,
    opts,
    json_values,
)
headers = st.fixed_dictionaries(
    {}, optional={"x-inngest-no-retry": st.sampled_from(["true", "false"]), "retry-after": st.sampled_from(["1", "soon", "9999999"])}
)
answers = st.builds(
    Answer,
    st.lists(ops, max_size=4) | json_values | st.binary(max_size=20),
    st.sampled_from([None, 200, 201, 206, 206, 400, 500]),
    headers,
)


@settings(max_examples=EXAMPLES)
@given(st.lists(answers, min_size=1, max_size=6))
def test_whatever_an_app_answers_its_runs_end_or_are_told_to_be_stuck(soak: bool, script: list[Answer]) -> None:
    async def main() -> None:
        left = list(script)
        async with Server(max_calls=20) as server:
            await start(server, go=lambda call: left.pop(0) if left else "done")
            with contextlib.suppress(RunStuck):
                assert all(run.ended for run in await server.run({"name": "go"}))
            for run in server.runs:
                assert len(set(run.stack)) == len(run.stack)
            with anyio.fail_after(30):  # a request of a gateway's may outlast its run
                while not all(call.handled for run in server.runs for call in run.calls):
                    await anyio.sleep(0.01)

    anyio.run(main)


registrations = st.fixed_dictionaries(
    {"appName": json_values | st.just("app")},
    optional={
        "functions": st.lists(
            st.fixed_dictionaries(
                {
                    "id": st.just("app-x"),
                    "name": st.just("x"),
                    "steps": json_values | st.just({"step": {"name": "s", "runtime": {"url": "http://x"}}}),
                },
                optional=dict.fromkeys(
                    [
                        "triggers",
                        "cancel",
                        "concurrency",
                        "batchEvents",
                        "rateLimit",
                        "debounce",
                        "throttle",
                        "singleton",
                        "priority",
                        "timeouts",
                        "retries",
                    ],
                    json_values | st.lists(json_values, max_size=2),
                ),
            ),
            max_size=2,
        )
        | json_values,
    },
)


@given(registrations)
def test_whatever_is_registered_is_taken_or_refused(soak: bool, registration: Any) -> None:
    with contextlib.suppress(Invalid):
        assert read_app(registration).name


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(sorted(ROUTES)), json_values | st.builds(lambda steps: {"steps": steps}, st.lists(ops | json_values, max_size=3)))
def test_whatever_is_asked_is_answered(soak: bool, route: str, body: Any) -> None:
    async def main() -> None:
        async with Server() as server, httpx.AsyncClient(verify=False, trust_env=False) as client:
            method, pattern = ROUTES[route]
            path = re.sub(r"\(\?:.*|\(.*?\)", "01GQ3HTEZ01M7R8Z9PR1DMHDN1", pattern.pattern.replace("[01]", "1"))
            answer = await client.request(method, server.url + path, json=body)
            assert answer.status_code < 600
            assert (await post(f"{server.url}/e/k", {"name": "still-there"})).status_code == 200

    anyio.run(main)


def test_hostile_json_is_answered() -> None:
    async def main() -> None:
        async with Server() as server:
            for body in (b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"[NaN]", json.dumps({"name": "\ud800"}).encode()):
                assert (await post(f"{server.url}/e/k", body)).status_code in (200, 400)

    anyio.run(main)
