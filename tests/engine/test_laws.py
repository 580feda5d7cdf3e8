"""Laws over whole engines: random programs, killed after random commits and started again, end as if nothing had been.

A program is a value in the event's data which one handler carries out. Step ids repeat all over a run, in branches too, so that their numbering
must come out the same in every replay; where the handler fails by itself they repeat only within a flow, since a branch that fails and then goes
further asks for its steps in another order than before.
"""

import logging
import pathlib
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

import inngest_gen as ig
from tests.engine.rig import PATIENCE_S, START, engine, eventually
from tests.engine.test_restart import Crashing

Program = list[Any]

LEAVES = st.sampled_from(
    ["run", "sync", "flaky", "caught", "sleep", "defer", "defer in body", "aborted", "handler fails", "send", "invoke", "signal"]
)
PROGRAMS: st.SearchStrategy[Program] = st.recursive(
    st.lists(LEAVES, min_size=1, max_size=4),
    lambda inner: st.lists(
        st.one_of(
            LEAVES,
            st.tuples(st.sampled_from(["parallel", "race", "flow", "finally"]), st.lists(inner, min_size=1, max_size=3)).map(list),
        ),
        min_size=1,
        max_size=3,
    ),
    max_leaves=8,
)


class World:
    """What survives an engine: what its bodies did, and what must not happen again."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.calls: list[tuple[str, str]] = []
        self.recorded: set[tuple[str, str]] = set()
        self.again: list[tuple[str, str]] = []
        self.failed: Counter[tuple[str, str]] = Counter()
        self.app = self.make()

    def called(self, ctx: ig.Context, label: str) -> str:
        key = (ctx.event.id or "", label)
        self.calls.append(key)
        if key in self.recorded:
            self.again.append(key)
        return label

    def fails(self, ctx: ig.Context, label: str, times: int) -> None:
        key = (ctx.event.id or "", label)
        self.failed[key] += 1
        if self.failed[key] <= times:
            raise ValueError(label)

    def step_id(self, ctx: ig.Context, label: str) -> str:
        return f"s {label.rpartition('.')[0]}" if "handler fails" in str(ctx.event.data.get("program")) else "s"

    def make(self) -> ig.App:
        app = ig.App("laws", backoff=1, retries=4, logger=logging.getLogger("laws"), **self.settings)
        world = self

        @app.deferred("note")
        async def note(ctx: ig.DeferContext) -> ig.Flow:
            yield ctx.step.run("s", lambda: world.called(ctx, f"noted {ctx.data['label']}"))
            yield ig.Done(ctx.data["label"])

        @app.function("child", trigger="child")
        async def child(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 2)
            yield ig.Done(ctx.data["label"])

        async def quick(ctx: ig.Context, label: str) -> str:
            await anyio.sleep(0)
            return world.called(ctx, label)

        def sync(ctx: ig.Context, label: str) -> str:
            return world.called(ctx, label)

        def flaky(ctx: ig.Context, label: str) -> str:
            world.fails(ctx, label, 2)
            return world.called(ctx, label)

        def hopeless(ctx: ig.Context, label: str) -> None:
            raise ig.NonRetriableError(label)

        def deferring(ctx: ig.Context, label: str) -> str:
            ctx.defer(label, note, {"label": label}).submit()
            return world.called(ctx, label)

        async def leaf(ctx: ig.Context, kind: str, label: str) -> ig.Flow:
            result: Any = label
            s = world.step_id(ctx, label)
            match kind:
                case "run":
                    result = yield ctx.step.run(s, quick, ctx, label)
                case "sync":
                    result = yield ctx.step.run(s, sync, ctx, label)
                case "flaky":
                    result = yield ctx.step.run(s, flaky, ctx, label)
                case "caught":
                    try:
                        yield ctx.step.run(s, hopeless, ctx, label)
                    except ig.StepError as error:
                        result = yield ctx.step.run(s, quick, ctx, f"{error.message} instead")
                case "sleep":
                    yield ctx.step.sleep(f"{s} nap", len(label))
                case "defer":
                    yield ctx.defer(label, note, {"label": label})
                case "defer in body":
                    result = yield ctx.step.run(s, deferring, ctx, label)
                case "aborted":
                    handle = yield ctx.defer(label, note, {"label": label})
                    yield ctx.step.run(s, quick, ctx, label)
                    yield handle.abort()
                case "handler fails":
                    world.fails(ctx, label, 1)
                case "send":
                    got = yield ctx.group.parallel(
                        ctx.step.wait_for_event(f"{s} event", f"ping {ctx.event.id} {label}", timeout="9d"),
                        ctx.step.send_event(f"{s} send", ig.Event(f"ping {ctx.event.id} {label}"), ig.Event("child", {"label": label})),
                    )
                    result = got[0] is not None
                case "invoke":
                    result = yield ctx.step.invoke(f"{s} call", child, {"label": label})
                case "signal":
                    signal = f"{ctx.event.id} {label}"
                    got = yield ctx.group.parallel(
                        ctx.step.send_signal(f"{s} sent", signal, 1), ctx.step.wait_for_signal(f"{s} wait", signal, timeout="9d")
                    )
                    result = list(got)
            yield ig.Done(result)

        async def flow(ctx: ig.Context, program: Program, at: str) -> ig.Flow:
            results = []
            for number, op in enumerate(program):
                label = f"{at}.{number}"
                if isinstance(op, str):
                    results.append((yield leaf(ctx, op, label)))
                    continue
                kind, parts = op
                branches = [flow(ctx, part, f"{label}.{place}") for place, part in enumerate(parts)]
                if kind == "parallel":
                    results.append(list((yield ctx.group.parallel(*branches))))
                elif kind == "race":
                    for spare in branches[1:]:
                        await spare.aclose()
                    winner = yield ctx.group.race(
                        branches[0], ctx.step.sleep(f"{label} never", "30d"), ctx.step.wait_for_event(f"{label} no", "never", timeout="30d")
                    )
                    results.append(winner.value)
                elif kind == "flow":
                    for branch in branches:
                        results.append((yield branch))  # noqa: PERF401 - a comprehension cannot yield
                else:
                    for spare in branches[1:]:
                        await spare.aclose()
                    try:
                        results.append((yield ctx.step.run(world.step_id(ctx, label), quick, ctx, label)))
                    finally:
                        results.append((yield branches[0]))
            yield ig.Done(results)

        @app.function("f", trigger="go", retries=20)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield flow(ctx, ctx.data["program"], "x")))

        return app

    def look(self, path: pathlib.Path) -> None:
        """Note which bodies have a recorded result: they must not run again. Their results are their labels."""
        connection = sqlite3.connect(path)
        rows = connection.execute(
            "SELECT events.id, log.data FROM log JOIN runs USING (run) JOIN events ON events.seq = runs.event WHERE log.kind = 'result'"
        )
        for id, data in rows.fetchall():
            text = data.decode()
            if text.startswith('"'):
                self.recorded.add((id, text.strip('"')))
        connection.close()


async def live(path: pathlib.Path, programs: Sequence[Program], kills: Sequence[int]) -> tuple[World, dict[str, Any]]:
    """Run programs to their end, killed after as many commits as `kills` says each time; gives the end."""
    world = World()
    clock = ig.VirtualClock(START, jumps=True)
    events = [ig.Event("go", {"program": program}, id=f"go {number}") for number, program in enumerate(programs)]
    runs: list[ig.Run] = []
    with anyio.fail_after(PATIENCE_S):
        for commits in [*kills, None]:
            async with engine(path, world.app, clock=clock, grace=0) as its_engine:
                await its_engine.send(*events)  # what is known already starts nothing

                def through() -> bool:
                    return its_engine._idle() and not its_engine._timers

                if commits is None:
                    await eventually(through)
                    runs = await its_engine.runs(limit=1000)
                else:
                    crash = Crashing(its_engine, commits)
                    await eventually(lambda: crash.over.is_set() or through())
            world.look(path)
            clock = ig.VirtualClock(clock.now(), jumps=True)
    parents = {one.event.id: one for one in runs if one.function_id == "laws-f"}
    return world, {
        "outputs": {id: (one.status, one.output) for id, one in parents.items()},
        "defers": {id: sorted((defer.id, defer.status) for defer in one.defers) for id, one in parents.items()},
        "children": Counter((one.function_id, one.kind, str(one.output)) for one in runs if one.function_id != "laws-f"),
        "statuses": Counter(one.status for one in runs),
    }


@pytest.mark.timeout(0)
@settings(
    max_examples=settings.default.max_examples // 3, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(programs=st.lists(PROGRAMS, min_size=1, max_size=2), kills=st.lists(st.integers(0, 12), min_size=1, max_size=4))
def test_killed_and_started_again_everything_ends_as_if_nothing_had_been(
    anyio_backend_name: str, programs: list[Program], kills: list[int], caplog: pytest.LogCaptureFixture, soak: bool
) -> None:
    caplog.set_level(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        world, end = anyio.run(live, place / "killed.db", programs, kills, backend=anyio_backend_name)
        calm, undisturbed = anyio.run(live, place / "calm.db", programs, [], backend=anyio_backend_name)
    note(f"{undisturbed}")
    event(f"{len(calm.calls) // 5 * 5} bodies")
    assert world.again == [], "a body ran again although its result was recorded"
    for part, expected in undisturbed.items():
        if part != "defers":  # an abort that came before the defer was kept leaves no trace of it
            assert end[part] == expected, part
    for id, defers in undisturbed["defers"].items():
        assert [one for one in end["defers"][id] if one[1] != "aborted"] == [one for one in defers if one[1] != "aborted"]
    assert set(undisturbed["statuses"]) == {"completed"}
    assert Counter(calm.calls) == Counter(set(calm.calls)), "undisturbed, every body runs once"
    assert {label for _, label in world.calls} == {label for _, label in calm.calls}
