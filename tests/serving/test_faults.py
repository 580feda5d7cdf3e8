"""Whatever goes wrong between an app and its server, on whichever message: a run ends as if nothing had, and no defer is lost or doubled.

Each recorded scenario is played once undisturbed, to learn its messages; then once for each of them and each fault: the server's API refuses, is late,
answers garbage or loses its answer, for one attempt or for as long as the app tries; calls are lost, repeated, forgotten, overtaken.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import orjson
import pytest

import inngest_gen as ig
from inngest_gen.net.api import Api
from inngest_gen.net.exchange import ATTEMPTS
from inngest_gen.serving.asgi import Served
from inngest_gen.serving.endpoint import Endpoint
from inngest_gen.testing import Server, ServerRun
from inngest_gen.testing.server.api import route_name
from inngest_gen.testing.server.http import Request
from tests.serving import scenarios
from tests.serving.test_server import DEFERRED, OUTPUTS, given, run_of

ROUTE_FAULTS: tuple[Any, ...] = ("refuse", "garble", "lose", 400, 401, 403, 413, 429, 500, 503)
"""Not 409: the server says it of what it has begun anew, as with "overtake"."""
CALL_FAULTS: tuple[Any, ...] = ("refuse", "lose", "forget", "overtake", "twice")
KEY, EVENT_KEY = "signkey-test-0123456789abcdef", "key-for-events"

# httpx's, of a request that the end of a test cuts off.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'httpx._content:ResourceWarning")


def serve(app: ig.App, pause: Callable[[float], Awaitable[None]] | None = None) -> Served:
    """Serve with no waits between the attempts of asking the API."""

    async def at_once(_: float) -> None:
        await anyio.lowlevel.checkpoint()

    return Served(Endpoint(app, api=Api(app.settings, sleep=pause or at_once)))


def settings_for(server: Server, **limits: Any) -> dict[str, Any]:
    return {
        "dev": False, "base_url": server.url, "signing_key": KEY, "event_key": EVENT_KEY, "limits": ig.Limits(**limits),
    }  # fmt: skip


@dataclass
class Nth:
    """Picks the n-th message, and its repeats, of those that `of` gives a name (None: not meant)."""

    n: int
    of: Callable[[Any], Any]

    def __post_init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, message: Any) -> bool:
        name = self.of(message)
        if name is None:
            return False
        if name not in self.seen:
            self.seen.append(name)
        return self.seen.index(name) == self.n


def checkpoint(request: Request) -> Any:
    return request.body if route_name(request) == "checkpoint" else None


async def play(scenario: str, mode: str, disturb: Callable[[Server], object] = lambda _: None, **limits: Any) -> list[ServerRun]:
    async with Server(signing_key=KEY, event_key=EVENT_KEY, seed=1) as server:
        await server.register(serve(scenarios.make("shop", checkpointing=mode == "ckpt", **settings_for(server, **limits))))
        disturb(server)
        return await server.run({"name": f"shop/{scenario}", "data": {"hello": "world"}})


async def messages(scenario: str, mode: str) -> tuple[int, int]:
    """Count the calls and the checkpoints of a scenario that nothing disturbs."""
    runs = await play(scenario, mode)
    calls = [call for run in runs for call in run.calls]
    return sum(call.direction == "app" for call in calls), sum(call.direction == "server" for call in calls)


def executions(runs: Sequence[ServerRun]) -> dict[tuple[str, str], set[int]]:
    """When each step's body began that the server was told the result of, by run and step: one moment for each time that it ran."""
    began: dict[tuple[str, str], set[int]] = {}
    for run in runs:
        for call in run.calls:
            told = orjson.loads(call.body)["steps"] if call.direction == "server" else orjson.loads(call.reply or b"null")
            for op in told if isinstance(told, list) else []:
                if op["op"] == "StepRun":
                    began.setdefault((run.id, op["id"]), set()).add(op["timing"]["a"])
    return began


def check(scenario: str, runs: Sequence[ServerRun], what: str, *, executed: int) -> None:
    """Look at how a scenario has ended; no body was `executed` more often than that."""
    one = run_of(runs, scenario)
    log = f"{what}\n" + "\n".join(run.log() for run in runs)
    assert (one.status, plain(one.output)) == ("completed", plain(OUTPUTS[scenario])), log
    deferred = [run for run in runs if run.event["name"] == "inngest/deferred.schedule"]
    found = [(run.function.removeprefix("shop-"), plain(given(run))) for run in deferred]
    expected: Any = DEFERRED.get(scenario, [])
    assert found == [(name, plain(data)) for name, data in expected], log
    assert {run.status for run in runs} == {"completed"}, log
    assert max(map(len, executions(runs).values()), default=0) <= executed, log
    for run in runs:
        for call in run.calls:
            if call.direction == "app" and call.status is not None:
                assert not call.signature_problem, log
                if call.status >= 400:
                    assert orjson.loads(call.reply)["message"], log


def plain(value: Any) -> Any:
    """Leave out which attempt it was: a call that did not arrive is one, too."""
    if isinstance(value, str):
        return value.partition("@")[0] if value.startswith(("ok@", "recovered@")) else value
    if isinstance(value, dict) and value.keys() == {"t"}:
        return {"t": "attempt"}
    return value


def some(every: Sequence[Any], scenario: str, count: int, *, soak: bool) -> Sequence[Any]:
    """Give all in a soak; else so many, other ones for other scenarios."""
    if soak or len(every) <= count:
        return every
    first = list(OUTPUTS).index(scenario)
    return [every[(first + n * (len(every) // count)) % len(every)] for n in range(count)]


@pytest.mark.parametrize("scenario", OUTPUTS)
async def test_the_api_may_fail_at_any_checkpoint(scenario: str, soak: bool) -> None:
    _, checkpoints = await messages(scenario, "ckpt")
    for kind in some(ROUTE_FAULTS, scenario, 4, soak=soak):
        for place in some(range(checkpoints), scenario, 1, soak=soak):
            for times in (1, 2 * ATTEMPTS):
                where = Nth(place, checkpoint)
                runs = await play(scenario, "ckpt", lambda server, where=where, times=times: server.fault(where, kind, times=times))  # type: ignore[misc]
                # What a checkpoint did not take goes with the reply, so that nothing is done again.
                check(scenario, runs, f"checkpoint {place} meets {kind} {times} times", executed=1)


@pytest.mark.parametrize("scenario", OUTPUTS)
async def test_the_api_may_take_no_checkpoint_at_all(scenario: str, soak: bool) -> None:
    for kind in some(ROUTE_FAULTS, scenario, 2, soak=soak):
        runs = await play(scenario, "ckpt", lambda server, kind=kind: server.fault("checkpoint", kind, times=None))  # type: ignore[misc]
        check(scenario, runs, f"all checkpoints meet {kind}", executed=1)


@pytest.mark.parametrize("scenario", ["steps", "deferinstep", "fnerror", "deferretry"])
async def test_the_api_may_be_late(scenario: str, soak: bool) -> None:
    for times in (1, None) if soak else (1,):
        runs = await play(scenario, "ckpt", lambda server, times=times: server.fault("checkpoint", "hang", times=times), reply_timeout=0.25)  # type: ignore[misc]
        check(scenario, runs, f"checkpoints are not answered, {times} times", executed=1)


@pytest.mark.parametrize("mode", ["ckpt", "nockpt"])
@pytest.mark.parametrize("scenario", OUTPUTS)
async def test_any_call_may_be_lost_repeated_or_overtaken(scenario: str, mode: str, soak: bool) -> None:
    calls, _ = await messages(scenario, mode)
    for kind in CALL_FAULTS:
        for place in some(range(calls), scenario, 1, soak=soak):
            when = Nth(place, id)
            runs = await play(scenario, mode, lambda server, when=when: server.fault_call(kind, when=when))  # type: ignore[misc]
            check(scenario, runs, f"call {place} meets {kind}", executed=1 if kind == "refuse" else 2)


TRANSIENT: tuple[Any, ...] = ("refuse", "lose", "garble", 429, 500, 503)


def shop(server: Server, **options: Any) -> ig.App:
    app = ig.App("shop", retries=1, **settings_for(server), **options)

    @app.function("placed", trigger="order/placed")
    async def placed(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.step.send_event("tell", ig.Event("order/shipped", {"n": 1}), ig.Event("order/billed"))
        except ig.StepError as error:
            yield ig.Done(str(error))
        yield ctx.step.send_signal("ring", "bell", {"rung": True})
        yield ig.Done("told")

    @app.function("shipped", trigger=["order/shipped", "order/billed"])
    async def shipped(ctx: ig.Context) -> ig.Flow:
        yield ig.Done(ctx.event.name)

    @app.function("waits", trigger="order/placed")
    async def waits(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.wait_for_signal("bell", "bell", timeout="1h")))

    @app.function("large", trigger="large")
    async def large(ctx: ig.Context) -> ig.Flow:
        sizes = []
        for n in range(4):
            text = yield ctx.step.run(f"make-{n}", lambda n=n: str(n) * 1_500_000)
            yield ctx.step.sleep(f"nap-{n}", 1)
            sizes.append(len(text))
        yield ig.Done(sizes)

    @app.scorer("grade")
    async def grade(ctx: ig.DeferContext[Any]) -> ig.Flow:
        yield ig.Done(ig.Score("quality", 0.5))

    @app.function("graded", trigger="graded")
    async def graded(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("grade", grade, {})
        yield ig.Done("done")

    return app


async def outputs(event: str, disturb: Callable[[Server], object]) -> tuple[list[Any], list[ServerRun]]:
    async with Server(signing_key=KEY, event_key=EVENT_KEY, seed=1) as server:
        await server.register(serve(shop(server)))
        disturb(server)
        runs = await server.run({"name": event})
        log = "\n".join(run.log() for run in runs)
        assert {run.status for run in runs} == {"completed"}, log
        for call in (call for run in runs for call in run.calls if call.direction == "app" and (call.status or 0) >= 400):
            message = orjson.loads(call.reply)["message"]
            assert message, log
            assert "TaskGroup" not in message, log
        return [run.output for run in runs], runs


@pytest.mark.parametrize("kind", TRANSIENT)
async def test_an_event_is_sent_once_however_often_it_is_tried(kind: Any) -> None:
    told, runs = await outputs("order/placed", lambda server: server.fault("events", kind, times=ATTEMPTS - 1))
    assert sorted(map(str, told)) == sorted(["told", "order/shipped", "order/billed", str({"rung": True})])
    told, runs = await outputs("order/placed", lambda server: server.fault_call("forget", when=Nth(0, id)))
    assert len(runs) == 4


@pytest.mark.parametrize(("kind", "words"), [(401, "401"), (400, "400"), (413, "413")])
async def test_an_event_that_the_server_does_not_take_fails_the_step_with_its_reason(kind: int, words: str) -> None:
    async with Server(signing_key=KEY, event_key=EVENT_KEY, seed=1) as server:
        await server.register(serve(shop(server)))
        server.fault("events", kind, times=None)
        await server.send({"name": "order/placed"})
        await server.advance("30m")
        run = run_of(server.runs, "placed")
        assert run.status == "completed"
        assert words in run.output
        assert "injected fault" in run.output
        assert EVENT_KEY not in run.output


@pytest.mark.parametrize("route", ["batch", "actions"])
@pytest.mark.parametrize("kind", ["refuse", "garble", 404, 503])
async def test_a_record_that_cannot_be_fetched_is_asked_for_by_the_next_call(route: str, kind: Any, soak: bool) -> None:
    for times in (1, ATTEMPTS) if soak and kind != 404 else (1,):
        told, _ = await outputs("large", lambda server, times=times: server.fault(route, kind, times=times))  # type: ignore[misc]
        assert told == [[1_500_000] * 4]


@pytest.mark.parametrize("kind", TRANSIENT)
async def test_a_score_that_cannot_be_written_is_written_by_the_next_attempt(kind: Any, soak: bool) -> None:
    for times in (1, ATTEMPTS) if soak else (1,):
        _, runs = await outputs("graded", lambda server, times=times: server.fault("metadata", kind, times=times))  # type: ignore[misc]
        assert len(run_of(runs, "graded").metadata) >= 1
