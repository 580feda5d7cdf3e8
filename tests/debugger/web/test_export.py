"""A page's values: every stop as a session has it, what is inside locals, the runs beside it, and limits."""

import dataclasses
import random
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import inngest_gen as ig
from inngest_gen.debugger import Session, to_html
from inngest_gen.debugger.web.export import document_of
from inngest_gen.debugger.web.walk import Limits
from inngest_gen.recording.recording import Recording
from tests.debugger import rig
from tests.debugger.rig import executed
from tests.debugger.web import reading
from tests.driver import corpus

__all__ = ["executed"]


async def document(recordings: list[Recording], app: ig.App | Any, limits: Limits | None = None) -> Any:
    return reading.values(await document_of(recordings, app, limits))


async def stops_of(name: str) -> tuple[list[Any], list[Any]]:
    recording = rig.of_corpus()[name]
    session = Session(recording, rig.CORPUS)
    await session.start()
    return (await document([recording], rig.CORPUS))["runs"][0]["stops"], await rig.walk(session)


@pytest.mark.parametrize("name", rig.NAMES)
async def test_a_page_has_every_stop_of_a_session(name: str) -> None:
    stops, walked = await stops_of(name)
    assert len(stops) == len(walked)
    for shown, stop in zip(stops, walked, strict=True):
        assert (shown["number"], shown["state"]) == (stop.number, stop.state)
        assert shown.get("intent", {}).get("text") == (stop.intent and stop.intent.text)
        assert shown.get("intent", {}).get("memo", {}).get("text") == (stop.intent and stop.intent.memo and stop.intent.memo.text)
        assert shown.get("at", {}).get("line") == (stop.at and stop.at.line)
        assert [
            (frame["id"], frame["function"], [(one["name"], one["text"]) for one in frame["locals"]]) for frame in shown.get("frames", [])
        ] == [(frame.id, frame.function, [(one.name, one.text) for one in frame.locals]) for frame in stop.frames]
        assert [one["name"] for one in shown.get("changed", [])] == [one.name for one in stop.changed]
        assert [one["id"] for one in shown.get("lazy", [])] == [one.id for one in stop.lazy]
        assert shown.get("divergence") is None
        assert shown.get("end", {}).get("value") == (stop.end and stop.end.value)


async def test_locals_are_opened_and_those_that_did_not_change_are_one_value() -> None:
    recordings = await reading.order_run()
    written = await document_of(recordings, reading.app)
    stops = reading.values(written)["runs"][0]["stops"]
    here = next(stop for stop in stops if stop.get("intent", {}).get("id") == "charge")
    [frame] = here["frames"]
    order = next(one for one in frame["locals"] if one["name"] == "order")
    assert [one["name"] for one in order["inside"]] == ["'lines'", "'note'"]
    assert order["inside"][0] == {"name": "'lines'", "text": "[]", "type": "list"}
    # In the pool a value that is at many stops is there once.
    texts = [entry for entry in written["entries"] if isinstance(entry, str)]
    assert len(texts) == len(set(texts))


async def test_what_changed_before_a_stop_that_is_passed_over_is_shown() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        seen: list[Any] = [[1], "x" * 200]
        yield ctx.step.run("a", int)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.lowlevel.checkpoint)
            seen[0].append(2)
            yield ctx.defer("d", corpus.note, {})
        yield ctx.step.run("b", int)

    app = rig.app_of(handler)
    [run] = (await document([await rig.recorded(app, None, corpus.APP)], app))["runs"]
    assert [stop["number"] for stop in run["stops"]] == [0, 1, 3, 4]
    first, second = (next(one for one in run["stops"][place]["frames"][0]["locals"] if one["name"] == "seen") for place in (1, 2))
    assert (first["inside"][0]["text"], second["inside"][0]["text"]) == ("[1]", "[1, 2]")


async def test_the_runs_beside_it_can_be_stepped_through_as_well() -> None:
    recordings = await reading.order_run()
    first, second = (await document(recordings, reading.app))["runs"]
    assert (first["function"], second["function"], second["parent"]) == ("shop-order", "shop-mail", first["id"])
    [defer] = first["picture"]["defers"]
    load = next(bar for lane in first["picture"]["lanes"] for bar in lane["bars"] if bar["id"] == "load")
    assert (defer["run_id"], defer["at"]) == (second["id"], load["parts"][-1][2])
    assert [stop.get("intent", {}).get("id") for stop in second["stops"]][1] == "send"
    assert second["picture"]["created"] >= first["picture"]["ended"]


async def test_a_run_of_another_app_is_drawn_and_not_stepped_through() -> None:
    recordings = await reading.order_run()
    first, second = (await document(recordings, reading.app.functions["order"]))["runs"]
    assert first["stops"]
    assert second["stops"] == []
    assert second["cut"] == ["the app that was given has no function 'shop-mail': this run is drawn, but cannot be stepped through"]
    assert second["picture"]["lanes"]


async def test_a_run_that_is_given_twice_is_there_once() -> None:
    first, second = await reading.order_run()
    page = reading.embedded_in(await to_html(first, reading.app, beside=[second, first, second]))
    assert [run["id"] for run in page["runs"]] == [first.run_id, second.run_id]


async def test_the_app_must_have_the_function() -> None:
    with pytest.raises(ig.MisuseError, match="has no function"):
        await to_html(rig.of_corpus()["linear"], ig.App("other"))


async def test_no_step_runs(executed: list[str]) -> None:
    await to_html(rig.of_corpus()["linear"], rig.CORPUS)
    assert executed == []


async def test_a_divergence_is_the_last_stop() -> None:
    recordings = await reading.order_run()
    steps = list(recordings[0].steps)
    place = next(place for place, one in enumerate(steps) if one.id == "charge")
    steps[place] = dataclasses.replace(steps[place], id="pay", name="pay", hash="pay")
    strayed = dataclasses.replace(recordings[0], steps=tuple(steps))
    [run] = (await document([strayed], reading.app))["runs"]
    assert run["stops"][-1]["state"] == "diverged"
    divergence = run["stops"][-1]["divergence"]
    assert (divergence["recorded"], divergence["yielded"]) == ("step.run 'pay'", "step.run 'charge'")
    assert run["status"] == "completed"


async def test_an_unfinished_run_ends_at_its_frontier() -> None:
    async def naps(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("load", int)
        yield ctx.step.sleep("nap", "1h")
        yield ig.Done(1)

    app = rig.app_of(naps)
    recording = await rig.recorded(app)
    nap = dataclasses.replace(recording.steps[1], status="waiting", rank=None, data=None, ended=None)
    under_way = dataclasses.replace(recording, steps=(recording.steps[0], nap), status="running", ended=None, output=None)
    [run] = (await document([under_way], app))["runs"]
    assert [stop["state"] for stop in run["stops"]] == ["start", "yield", "frontier"]
    assert "memo" not in run["stops"][-1]["intent"]
    assert run["picture"]["lanes"][0]["bars"][-1]["parts"][-1][2] is None


async def test_what_differs_from_replay_to_replay_is_told() -> None:
    async def throws(ctx: ig.Context) -> ig.Flow:
        dice = random.random()  # noqa: IGN102 - to be found
        yield ctx.step.run("load", int)
        yield ig.Done(dice > 2)

    app = rig.app_of(throws)
    [run] = (await document([await rig.recorded(app)], app))["runs"]
    assert {(one["number"], one["name"]) for one in run["unstable"]} == {(1, "dice"), (2, "dice")}


async def test_an_error_that_leaves_the_handler_has_its_frames() -> None:
    async def fails(ctx: ig.Context) -> ig.Flow:
        total = 41
        yield ctx.step.run("load", int)
        raise ValueError(f"{total}")

    app = rig.app_of(fails)
    [run] = (await document([await rig.recorded(app)], app))["runs"]
    last = run["stops"][-1]
    assert (last["end"]["how"], last["end"]["error"]["message"], last["end"]["as_recorded"]) == ("raised", "41", True)
    assert "fails" in last["end"]["error"]["stack"]
    [frame] = last["frames"]
    assert ("total", "41") in [(one["name"], one["text"]) for one in frame["locals"]]


# Limits.


async def growing(ctx: ig.Context) -> ig.Flow:
    seen: list[dict[str, Any]] = []
    for n in range(ctx.data["n"]):
        got = yield ctx.step.run("rate", str, n)
        seen.append({"n": n, "got": got})
    yield ig.Done(len(seen))


async def test_a_stop_more_costs_what_is_new_in_it() -> None:
    app = rig.app_of(growing)
    sizes = {n: len(await to_html(await rig.recorded(app, {"n": n}), app)) for n in (20, 40)}
    assert (sizes[40] - sizes[20]) / 20 < 1_500


async def test_a_page_says_where_it_is_cut() -> None:
    app = rig.app_of(growing)
    recording = await rig.recorded(app, {"n": 12})
    [run] = (await document([recording], app, Limits(stops=5)))["runs"]
    assert (len(run["stops"]), run["cut"]) == (
        5,
        ["only the first 5 stops are in this page: the run is longer than a page can hold"],
    )
    [run] = (await document([recording], app, Limits(inside=0)))["runs"]
    assert run["cut"] == ["what is inside the locals is left out of the later stops: there is too much of it for a page"]
    assert not any("inside" in one for stop in run["stops"] for frame in stop.get("frames", []) for one in frame["locals"])


async def test_long_results_and_output_are_cut() -> None:
    async def prints(ctx: ig.Context) -> ig.Flow:
        many = yield ctx.step.run("many", lambda: ["x" * 50] * 1_000)
        print("y" * 10_000)  # noqa: IGN107 - to be shown
        yield ig.Done(many)

    app = rig.app_of(prints)
    page = await to_html(await rig.recorded(app), app)
    [run] = reading.embedded_in(page)["runs"]
    memo = run["stops"][1]["intent"]["memo"]
    assert (len(memo["json"]["text"]), memo["json"]["size"] > 50_000) == (4_001, True)
    [printed] = run["stops"][2]["output"]
    assert printed["text"].endswith("… (10,001 characters)")
    local = next(one for one in run["stops"][2]["frames"][0]["locals"] if one["name"] == "many")
    assert (local["size"], len(local["inside"])) == (1_000, 40)
    assert len(page) < 250_000


async def test_of_many_branches_those_that_go_on_are_kept() -> None:
    async def wide(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(*[ctx.step.run("rate", str, n) for n in range(100)])
        yield ig.Done(None)

    app = rig.app_of(wide)
    [run] = (await document([await rig.recorded(app)], app))["runs"]
    trees = [stop["tree"]["children"][0] for stop in run["stops"] if stop.get("intent", {}).get("id") == "rate"]
    assert all(len(tree["children"]) == 60 and tree["more"] == 40 for tree in trees)
