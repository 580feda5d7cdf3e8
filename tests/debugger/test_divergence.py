"""Edited code, divergence, verdicts, and what is not the same in two replays."""

import importlib.util
import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import inngest_gen as ig
from inngest_gen.cli.debug import telling
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.verdict import Verdict, check
from inngest_gen.errors import MisuseError
from inngest_gen.recording.recording import Recording
from tests.debugger import rig
from tests.debugger.rig import session_of, walk
from tests.driver import corpus
from tests.driver.corpus import echo

SHOP = """
import inngest_gen as ig
from {prices} import discount

app = ig.App("shop")

def load(n):
    raise AssertionError("no body runs")

async def quote(ctx, order):
    rate = yield ctx.step.run("rate", load, 1)
    yield ig.Done(rate * discount)

@app.function("order", trigger="go")
async def order(ctx):
    order = yield ctx.step.run("load", load, 1)
    price = yield quote(ctx, order)
    yield ctx.step.run("ship", load, 2)
    yield ig.Done(price)
"""

_numbers = itertools.count()


class Shop:
    """A shop in two modules of its own, which a test edits."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.name = f"shop_{next(_numbers)}"
        self.edit()
        self.prices("discount = 10\n")
        self.module = __import__(self.name)

    @property
    def file(self) -> Path:
        return self.home / f"{self.name}.py"

    def edit(self, *changes: tuple[str, str]) -> None:
        text = SHOP.format(prices=f"{self.name}_prices")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.file.write_text(text)

    def prices(self, text: str) -> None:
        (self.home / f"{self.name}_prices.py").write_text(text)

    @property
    def app(self) -> ig.App:
        app: ig.App = self.module.app
        return app

    def line(self, text: str) -> str:
        return f"{self.file}:{next(n for n, line in enumerate(self.file.read_text().splitlines(), 1) if text in line)}"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.syspath_prepend(str(tmp_path))
    shop = Shop(tmp_path)
    yield shop
    for name in (shop.name, f"{shop.name}_prices"):
        sys.modules.pop(name, None)


def recording_of(shop: Shop) -> Recording:
    """A completed run of the shop, as the engine would have recorded it."""
    from inngest_gen.driver.fingerprint import fingerprint
    from inngest_gen.ids import step_hash
    from inngest_gen.recording.recording import RecordedStep

    steps = [
        ("load", "", b'{"n":1}', 'step.run("load"'),
        ("rate", "quote", b"3", 'step.run("rate"'),
        ("ship", "", b'"gone"', 'step.run("ship"'),
    ]
    return Recording(
        run_id="01GQ3HTEZ01M7R8Z9PR1DMHDN1",
        function="shop-order",
        status="completed",
        events=(ig.Event("go"),),
        code=fingerprint(shop.app.functions["order"]),
        output=b"30",
        steps=tuple(
            RecordedStep(id=id, hash=step_hash(id), kind="step.run", position=n, rank=n + 1, path=path, at=shop.line(text), data=data)
            for n, (id, path, data, text) in enumerate(steps)
        ),
    )


# Reload.


async def test_unchanged_code_is_compatible_and_loaded_anew(shop: Shop) -> None:
    session = Session(recording_of(shop), shop.app)
    await session.step(4)
    before, function = session.stop, session.function
    verdict = await session.reload()
    assert (verdict.compatible, verdict.code, verdict.reached, verdict.recorded) == (True, "recorded", 3, 3)
    assert session.stop == before
    assert session.stop.reason == "reloaded"
    assert session.function is not function
    assert sys.modules[shop.name].app is not shop.module.app


async def test_an_edit_between_the_yields_is_seen_at_the_same_stop(shop: Shop) -> None:
    session = Session(recording_of(shop), shop.app)
    await session.run_to("ship")
    assert session.evaluate("price").text == "30"
    shop.edit(("ig.Done(rate * discount)", "ig.Done(rate * discount + 1)"))
    verdict = await session.reload()
    assert (verdict.compatible, verdict.code) == (True, "changed")
    assert verdict.notes == ("it ends otherwise than recorded: 31",)
    assert session.stop.intent is not None
    assert session.stop.intent.id == "ship"
    assert session.evaluate("price").text == "31"
    assert "discount + 1" in "\n".join(session.source(str(shop.file)))
    assert session.stop.unstable == ()  # other code, other values: that is no instability


async def test_modules_that_the_handlers_module_imports_are_loaded_anew_too(shop: Shop) -> None:
    session = Session(recording_of(shop), shop.app)
    shop.prices("discount = 11\n")  # of the same second and size as the bytecode that is there
    verdict = await session.reload()
    assert verdict.notes == ("it ends otherwise than recorded: 33",)


async def test_the_first_divergence_is_told_with_both_intents_and_both_lines(shop: Shop) -> None:
    recording = recording_of(shop)
    session = Session(recording, shop.app)
    await session.finish()
    shop.edit(
        (
            '    yield ctx.step.run("ship", load, 2)',
            '    price += 0\n    yield ctx.step.run("pack", load, 2)\n    yield ctx.step.run("ship", load, 2)',
        )
    )
    verdict = await session.reload()
    assert (verdict.compatible, verdict.reached, verdict.unused) == (False, 2, ("ship",))
    stop = session.stop
    assert (stop.state, stop.reason) == ("diverged", "divergence")
    for divergence in (stop.divergence, verdict.divergence):
        assert divergence is not None
        assert (divergence.position, divergence.recorded, divergence.yielded) == (2, "step.run 'ship'", "step.run 'pack'")
        assert (divergence.recorded_at, divergence.yielded_at) == (recording.steps[2].at, shop.line("pack"))
        assert divergence.text in str(verdict)
    assert stop.at is not None
    assert f"{stop.at.file}:{stop.at.line}" == shop.line("pack")
    assert session.evaluate("price").text == "30"
    assert (await session.run_to("divergence", backwards=True)).number == 0
    assert (await session.run_to("divergence")).state == "diverged"
    assert (await session.back()).state == "yield"


async def test_past_a_divergence_steps_are_matched_by_their_ids(shop: Shop) -> None:
    session = Session(recording_of(shop), shop.app)
    shop.edit(
        ('    yield ctx.step.run("ship", load, 2)', '    yield ctx.step.run("pack", load, 2)\n    yield ctx.step.run("ship", load, 2)')
    )
    await session.reload()
    await session.finish()
    stop = await session.match_by_id()
    assert (stop.history, stop.state) == ("by id 1", "frontier")
    assert stop.intent is not None
    assert stop.intent.id == "pack"
    await session.replace(result=None)
    await session.finish()
    assert session.stop.end is not None
    assert session.stop.end.value == "30"


@pytest.mark.parametrize("text", ["this is no Python", "1 / 0", "app = 7", "app = ig.App('shop')"])
async def test_code_that_does_not_load_leaves_the_old_in_use(shop: Shop, text: str) -> None:
    session = Session(recording_of(shop), shop.app)
    await session.step(2)
    before = session.stop
    old = {name: module for name, module in sys.modules.items() if name.startswith(shop.name)}
    shop.file.write_text(f"import inngest_gen as ig\nimport {shop.name}_prices\n{text}\n")
    with pytest.raises((SyntaxError, ZeroDivisionError, MisuseError)):
        await session.reload()
    assert {name: module for name, module in sys.modules.items() if name.startswith(shop.name)} == old
    assert await session.goto(before.number) == before
    shop.edit()
    assert (await session.reload()).compatible


async def test_a_module_that_was_loaded_by_its_path_is_loaded_anew(tmp_path: Path, shop: Shop) -> None:
    spec = importlib.util.spec_from_file_location("app_of_a_path", shop.file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["app_of_a_path"] = module
    try:
        spec.loader.exec_module(module)
        recording = replace(recording_of(shop), code=None)
        session = Session(recording, module.app)
        shop.edit(("ig.Done(price)", "ig.Done(price + 1)"))
        assert (await session.reload()).notes == ("it ends otherwise than recorded: 31",)
    finally:
        del sys.modules["app_of_a_path"]


async def test_code_of_the_running_script_cannot_be_loaded_anew() -> None:
    app = ig.App("shop")
    module = ModuleType("__main__")
    module.__file__ = __file__
    handler = corpus.linear
    app.function("f", trigger="go")(handler)
    session = Session(Recording(run_id="01GQ3HTEZ01M7R8Z9PR1DMHDN1", function="shop-f", events=(ig.Event("go"),)), app)

    async def plain(ctx: ig.Context) -> ig.Flow:
        yield ig.Done()

    plain.__module__ = "__main__"
    plain.__qualname__ = "plain"
    other = ig.App("shop")
    other.function("f")(plain)
    session = Session(session.recording, other)
    with pytest.raises(MisuseError, match="is in no module that can be loaded again"):
        await session.reload()


# Verdicts.


async def verdict_of(shop: Shop, *changes: tuple[str, str], **fields: object) -> Verdict:
    recording = replace(recording_of(shop), **fields)  # type: ignore[arg-type]
    shop.edit(*changes)
    return await Session(recording, shop.app).reload()


async def test_a_handler_that_ends_early_is_not_compatible(shop: Shop) -> None:
    verdict = await verdict_of(shop, ('    yield ctx.step.run("ship", load, 2)\n', ""))
    assert verdict.divergence is not None
    assert (verdict.compatible, verdict.divergence.recorded, verdict.divergence.yielded) == (False, "step.run 'ship'", None)


async def test_a_record_without_positions_is_left_where_the_replay_has_come_to(shop: Shop) -> None:
    steps = tuple(replace(step, position=None, at=None) for step in recording_of(shop).steps)
    verdict = await verdict_of(shop, ('"ship"', '"send"'), steps=steps)
    assert verdict.divergence is not None
    assert (verdict.divergence.position, verdict.divergence.recorded, verdict.divergence.yielded) == (
        2,
        "step.run 'ship'",
        "step.run 'send'",
    )
    told = list(telling.lines({"verdict": verdict.to_json()}, lambda _: []))
    assert told[:3] == [
        "  not compatible: at position 2",
        "    recorded  step.run 'ship'",
        f"    yielded   step.run 'send' at {Path(shop.line('send')).name}",
    ]


async def test_a_handler_that_raises_where_it_went_on_is_not_compatible(shop: Shop) -> None:
    verdict = await verdict_of(shop, ("    price = yield", "    price = order.total\n    price = yield"))
    assert not verdict.compatible
    assert verdict.divergence is not None
    assert verdict.divergence.recorded == "step.run 'rate'"
    assert str(verdict.divergence.yielded).startswith("AttributeError: ")
    assert verdict.divergence.yielded_at == shop.line("order.total")


async def test_a_handler_that_goes_on_after_the_recorded_end_is_not_compatible(shop: Shop) -> None:
    verdict = await verdict_of(shop, ("    yield ig.Done(price)\n", '    yield ctx.step.run("more", load, 3)\n'))
    assert not verdict.compatible
    assert "the recorded run has ended, but the handler goes on and waits for 'more'" in str(verdict)


async def test_a_handler_that_goes_on_where_the_run_failed_is_compatible(shop: Shop) -> None:
    later = ("    yield ig.Done(price)\n", '    yield ctx.step.run("more", load, 3)\n')
    verdict = await verdict_of(shop, later, status="failed", output=None)
    assert (verdict.compatible, verdict.reached) == (True, 3)
    assert verdict.notes == ("the recorded run failed, and the handler goes on from there: it asks for 'more'",)


async def test_of_a_run_under_way_what_comes_later_may_change(shop: Shop) -> None:
    recording = recording_of(shop)
    steps = (*recording.steps[:2], replace(recording.steps[2], rank=None, data=None, status="running"))
    later = ("    yield ig.Done(price)\n", '    yield ctx.step.run("more", load, 3)\n')
    verdict = await verdict_of(shop, later, steps=steps, status="running", output=None)
    assert (verdict.compatible, verdict.notes, verdict.reached) == (True, (), 2)
    shop.edit(('"ship"', '"send"'))
    verdict = await check(replace(recording, steps=steps, status="running", output=None), sys.modules[shop.name].app)
    assert verdict.compatible  # that code was loaded before the edit
    verdict = await Session(replace(recording, steps=steps, status="running", output=None), sys.modules[shop.name].app).reload()
    assert verdict.divergence is not None
    assert (verdict.divergence.recorded, verdict.divergence.yielded) == ("step.run 'ship'", "step.run 'send'")


async def test_a_record_of_more_than_one_version_is_held_to_nothing(shop: Shop) -> None:
    verdict = await verdict_of(shop, ('    yield ctx.step.run("ship", load, 2)\n', ""), code={})
    assert (verdict.compatible, verdict.code, verdict.unused) == (True, "unknown", ("ship",))
    assert "not asked for: ship, but more than one version of the code made this record" in str(verdict)


async def test_a_branch_that_asks_for_another_step_is_not_compatible() -> None:
    name = "b"

    async def branch(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run(name, echo)
        yield ctx.step.run("c", echo)

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(ctx.step.run("a", echo), branch(ctx))

    app = rig.app_of(handler)
    recording = await rig.recorded(app)
    assert (await check(recording, app)).compatible
    name = "other"
    verdict = await check(recording, app)
    assert verdict.divergence is not None
    assert (verdict.divergence.recorded, verdict.divergence.yielded) == ("step.run 'b'", "step.run 'other'")
    assert "the handler asks for another step first" in str(verdict)


@pytest.mark.parametrize("name", rig.NAMES)
async def test_every_run_of_the_corpus_is_compatible_with_its_code(name: str) -> None:
    verdict = await check(rig.of_corpus()[name], rig.CORPUS)
    assert (verdict.compatible, verdict.code, verdict.notes, verdict.unused, verdict.divergence) == (True, "recorded", (), (), None)
    assert verdict.reached == verdict.recorded == len(rig.of_corpus()[name].finished())
    assert "compatible, " in str(verdict)


async def test_data_that_no_longer_fits_is_not_compatible() -> None:
    app = ig.App("test")

    @app.function("f", trigger=ig.EventType("go", dict[str, int]))
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)

    recording = await rig.recorded(app, {"n": 1})
    assert (await check(recording, app)).compatible
    verdict = await check(replace(recording, events=(ig.Event("go", {"n": "x"}),)), app)
    assert not verdict.compatible
    assert "the handler does not begin: SchemaError" in str(verdict)


# What is not the same in two replays.


async def clock(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("a", echo)
    started = time.perf_counter_ns()  # noqa: IGN101 - what the test is about
    same = ctx.random.random()
    yield ctx.step.run("b", echo)
    yield ig.Done([bool(started), bool(same)])


async def test_a_local_that_is_not_the_same_in_another_replay_is_pointed_out() -> None:
    session = await session_of(clock)
    first = await session.step(2)
    assert first.unstable == ()
    again = await session.goto(2)
    assert again == first
    assert again.unstable == ()
    await session.step()
    back = await session.back()
    [unstable] = back.unstable
    assert (unstable.number, unstable.frame, unstable.name) == (2, 0, "started")
    assert unstable.first != unstable.now
    assert {(one.number, one.name) for one in await session.unstable()} == {(2, "started"), (3, "started")}


async def test_an_intent_that_is_not_the_same_is_pointed_out() -> None:
    turn = 0

    async def handler(ctx: ig.Context) -> ig.Flow:
        nonlocal turn
        turn += 1
        yield ctx.step.run("a", echo)
        yield ctx.defer(f"d {turn}", corpus.note, {})
        yield ctx.step.run("b", echo)

    app = rig.app_of(handler)
    recording = await rig.recorded(app, None, corpus.APP)
    async with Session(recording, app) as session:
        await session.step(2)
        stop = await session.goto(1)
        assert stop.unstable == ()
        stop = await session.step()
        assert [(one.number, one.name) for one in stop.unstable] == [(2, None), (2, "turn")]
        assert stop.unstable[0].first.startswith("defer 'd ")
        assert any(one.name is None for one in await session.unstable())


async def test_of_what_is_the_same_nothing_is_pointed_out() -> None:
    for name in rig.NAMES:
        async with Session(rig.of_corpus()[name], rig.CORPUS) as session:
            assert await session.unstable() == ()


async def test_a_replay_that_leaves_its_record_stops_there() -> None:
    name = "a"

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("first", echo)
        yield ctx.step.run(name, echo)
        yield ctx.step.run("last", echo)

    app = rig.app_of(handler)
    recording = await rig.recorded(app)
    name = "b"
    async with Session(recording, app) as session:
        stops = await walk(session)
        assert [stop.state for stop in stops] == ["start", "yield", "diverged"]
        divergence = stops[-1].divergence
        assert divergence is not None
        assert (divergence.position, divergence.recorded, divergence.yielded) == (1, "step.run 'a'", "step.run 'b'")
        assert "depends on something that changes between replays" in divergence.cause
        assert (await session.continue_()).reason == "divergence"
