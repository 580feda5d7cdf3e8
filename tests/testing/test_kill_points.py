"""A run that is cut after any of its durable writes ends as the one that was not cut; what does not is found, with the write."""

from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen import testing

app = ig.App("killed", retries=2, backoff="10s")
bodies: list[str] = []


async def echo(value: Any = None) -> Any:
    bodies.append(str(value))
    return value


@app.deferred("note")
async def note(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("note", echo, "note")


@app.function("square")
async def square(ctx: ig.Context) -> ig.Flow:
    yield ig.Done((yield ctx.step.run("square", echo, ctx.data["n"] ** 2)))


@app.function("all-there-is", trigger="go")
async def all_there_is(ctx: ig.Context) -> ig.Flow:
    def flaky() -> str:
        if ctx.attempt == 0:
            raise ConnectionError("once")
        return "up"

    first: ig.DeferHandle = yield ctx.defer("first", note, {"n": 1})
    up = yield ctx.step.run("flaky", flaky)
    yield first.abort()
    yield ctx.defer("second", note, {"n": 2})
    squared = yield ctx.step.invoke("invoke", square, {"n": 3})
    answer = yield ctx.step.wait_for_event("answer", "answer", timeout="1d")
    ids = yield ctx.step.send_event("send", ig.Event("told"))
    winner = yield ctx.group.race(ctx.step.sleep("long", "1d"), slow(ctx))
    if ctx.attempt == 0:
        raise LookupError("the handler's own")
    yield ig.Done([up, squared, answer.data["ok"], len(ids), winner.value])


async def slow(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.sleep("short", "1h")
    yield ig.Done((yield ctx.step.run("in-branch", echo, "b")))


@app.function("told", trigger="told")
async def told(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("heard", echo, "heard")


async def test_a_sound_run_ends_alike_wherever_it_is_cut() -> None:
    report = await testing.kill_points(all_there_is, {}, events=[testing.at("2h", ig.Event("answer", {"ok": True}))])
    assert report.result.output == ["up", 9, True, 1, "b"]
    assert len(report.points) > 20
    assert report.points[:3] == ("its event was taken in", "that killed-all-there-is has begun", "a failed attempt of 'flaky'")
    assert report.points[-1] == "the end of killed-note"


async def test_bodies_that_take_their_time_come_when_they_would_have_come() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        winner = yield ctx.group.race(
            body=ctx.step.run("body", echo), sleep=ctx.step.sleep("sleep", "15s"), other=ctx.step.sleep("other", "9s")
        )
        yield ctx.step.run("between", echo)
        yield ig.Done(winner.key)

    report = await testing.kill_points(handler, steps={"body": testing.lasting("10s", None)})
    assert report.result.output == "other"


async def test_an_event_that_a_body_sends_without_an_id_is_found() -> None:
    own = ig.App("sending")

    @own.function("main", trigger="go")
    async def main(ctx: ig.Context) -> ig.Flow:
        async def body() -> None:
            await own.send(ig.Event("told"))

        yield ctx.step.run("send", body)

    @own.function("hears", trigger="told")
    async def hears(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("hear", echo)

    with pytest.raises(testing.KillMismatch, match=r"these runs were made: sending-main, sending-hears, sending-hears #2"):
        await testing.kill_points(main)


async def test_an_event_that_a_body_sends_with_an_id_of_its_own_passes() -> None:
    own = ig.App("sending")

    @own.function("main", trigger="go")
    async def main(ctx: ig.Context) -> ig.Flow:
        async def body() -> None:
            await own.send(ig.Event("told", id=f"told {ctx.run_id}"))

        yield ctx.step.run("send", body)

    @own.function("hears", trigger="told")
    async def hears(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("hear", echo)

    assert len((await testing.kill_points(main)).points) == 8


@app.function("in-memory")
async def in_memory(ctx: ig.Context) -> ig.Flow:
    state: dict[str, int] = {}

    async def load() -> None:
        state["total"] = 3  # noqa: IGN602

    yield ctx.step.run("load", load)
    yield ig.Done(state.get("total"))


async def test_what_only_a_process_has_in_memory_is_found() -> None:
    with pytest.raises(
        testing.KillMismatch, match=r"(?s)cut after this was written: the result of 'load', .*the output of killed-in-memory is null"
    ):
        await testing.kill_points(in_memory, always_replay=False)
    with pytest.raises(testing.ReplayMismatch):
        await testing.kill_points(in_memory)
