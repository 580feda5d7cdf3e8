"""IGN2xx: intents that go nowhere, or where no intent can go."""

import pytest

from tests.lint.text import HEAD, codes, found, handler, shown

FLOWS = """
    async def quote(ctx: ig.Context, order: str) -> ig.Flow:
        rate = yield ctx.step.run("rate", str, order)
        yield ig.Done(rate)

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ctx.step.run("note", str)
"""


class TestNeverYielded:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("ctx.step.run('a', str)\nyield ctx.step.sleep('b', 1)", "ctx.step.run('a', str)"),
            ("ctx.step.sleep('a', 1)\nyield ctx.step.sleep('b', 1)", "ctx.step.sleep('a', 1)"),
            ("load = ctx.step.run('a', str)\nyield ctx.step.sleep('b', 1)", "ctx.step.run('a', str)"),
            ("load = ctx.step.run('a', str)\nyield ctx.step.run('b', str, load.result)", "ctx.step.run('a', str)"),
            ("load = ctx.step.run('a', str)\nload.timeout('5s')\nyield ctx.step.sleep('b', 1)", "ctx.step.run('a', str)"),
            ("ctx.step.run('a', str).timeout('5s')\nyield ctx.step.sleep('b', 1)", "ctx.step.run('a', str).timeout('5s')"),
            ("value = ctx.step.run('a', str).result\nyield ctx.step.run('b', str, value)", "ctx.step.run('a', str)"),
            ("steps = [ctx.step.run(f'a-{n}', str) for n in range(3)]\nyield ctx.step.sleep('b', 1)", "ctx.step.run(f'a-{n}', str)"),
            ("ctx.group.parallel(ctx.step.run('a', str))\nyield ctx.step.sleep('b', 1)", "ctx.group.parallel(ctx.step.run('a', str))"),
            ("quote(ctx, 'a')\nyield ctx.step.sleep('b', 1)", "quote(ctx, 'a')"),
            ("price = quote(ctx, 'a')\nyield ctx.step.sleep('b', 1)", "quote(ctx, 'a')"),
            ("ctx.defer('a', note, {})\nyield ctx.step.sleep('b', 1)", "ctx.defer('a', note, {})"),
            ("ig.defer('a', note, {})\nyield ctx.step.sleep('b', 1)", "ig.defer('a', note, {})"),
            ("handle = yield ctx.defer('a', note, {})\nhandle.abort()", "handle.abort()"),
            ("ctx.using(open)\nyield ctx.step.sleep('b', 1)", "ctx.using(open)"),
            ("yield ctx.step.sleep('b', 1)\nig.Done('a')", "ig.Done('a')"),
            ("step = ctx.step\nstep.run('a', str)\nyield step.sleep('b', 1)", "step.run('a', str)"),
            ("run = ctx.step.run\nrun('a', str)\nyield run('b', str)", "run('a', str)"),
        ],
    )
    def test_what_is_made_and_dropped_is_found(self, body: str, marked: str) -> None:
        assert shown(handler(body, FLOWS), "IGN201") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "load = ctx.step.run('a', str)\nyield load\nyield ctx.step.run('b', str, load.result)",
            "load = ctx.step.run('a', str)\nif ctx.data:\n    yield load",
            "load = ctx.step.run('a', str)\nload.timeout('5s')\nyield load",
            "load = ctx.step.run('a', str)\nyield load.timeout('5s')",
            "steps = [ctx.step.run(f'a-{n}', str) for n in range(3)]\nyield ctx.group.parallel(*steps)",
            "steps = []\nfor n in range(3):\n    steps.append(ctx.step.run(f'a-{n}', str))\nyield ctx.group.parallel(*steps)",
            "a, b = ctx.step.run('a', str), ctx.step.run('b', str)\nyield ctx.group.parallel(a, b)",
            "branches = {'a': ctx.step.run('a', str)}\nyield ctx.group.parallel(**branches)",
            "if (load := ctx.step.run('a', str)) is not None:\n    yield load",
            "yield quote(ctx, 'a')",
            "price = quote(ctx, 'a')\nyield price",
            "ctx.defer('a', note, {}).submit()\nyield ctx.step.sleep('b', 1)",
            "defer = ctx.defer('a', note, {})\ndefer.submit()\nyield ctx.step.sleep('b', 1)",
            "handle = yield ctx.defer('a', note, {})\nyield handle.abort()",
            "handle = yield ctx.defer('a', note, {})\nhandle.abort().submit()",
            "def later():\n    return load\nload = ctx.step.run('a', str)\nyield later()",
            "made = dict(load=ctx.step.run('a', str))\nyield made['load']",
            "ctx.logger.info('a')\nctx.random.seed(1)\nyield ctx.step.sleep('b', 1)",
            "yield ctx.step.run('a', str) if ctx.data else ctx.step.run('b', str)",
            "log = []\nlog.append('a')\nyield ctx.step.sleep('b', 1)",
        ],
    )
    def test_what_goes_somewhere_is_left_alone(self, body: str) -> None:
        assert codes(handler(body, FLOWS)) == []

    def test_a_handler_without_yields_can_make_none(self) -> None:
        source = f"{HEAD}@app.function('f')\nasync def f(ctx: ig.Context) -> None:\n    step = ctx.step.run('a', str)\n    print(step)\n"
        [finding] = found(source, "IGN201")
        assert finding.message == "the step `run(...)` is made in a handler without yields, where it cannot run: yield it"

    @pytest.mark.parametrize("line", ["ctx.defer('a', note, {})", "ig.defer('a', note, {})"])
    def test_a_defer_in_a_plain_handler_or_body_needs_submit(self, line: str) -> None:
        for ending, expected in (("", ["IGN201"]), (".submit()", [])):
            plain = f"{HEAD}@app.function('f')\nasync def f(ctx: ig.Context) -> None:\n    {line}{ending}\n"
            assert codes(plain) == expected
            body = f"def work(ctx: ig.Context) -> str:\n    {line}{ending}\n    return 'a'"
            assert codes(handler("yield ctx.step.run('a', work, ctx)", body)) == expected

    def test_a_function_that_gives_the_step_away_is_left_alone(self) -> None:
        assert codes(handler("yield load(ctx)", "def load(ctx: ig.Context):\n    return ctx.step.run('a', str)")) == []

    def test_one_that_drops_it_is_found(self) -> None:
        assert codes(handler("load(ctx)\nyield ctx.step.sleep('a', 1)", "def load(ctx):\n    ctx.step.run('a', str)")) == ["IGN201"]


class TestAwaited:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("a = await ctx.step.run('a', str)\nyield ctx.step.sleep('b', 1)", "ctx.step.run('a', str)"),
            ("yield await ctx.step.run('a', str)", "ctx.step.run('a', str)"),
            ("await quote(ctx, 'a')\nyield quote(ctx, 'b')", "quote(ctx, 'a')"),
            ("async for one in quote(ctx, 'a'):\n    yield one", "quote(ctx, 'a')"),
            ("if ctx.step.run('a', str):\n    yield ctx.step.sleep('b', 1)", "ctx.step.run('a', str)"),
            ("if not ctx.step.run('a', str):\n    yield ctx.step.sleep('b', 1)", "ctx.step.run('a', str)"),
            ("while ctx.step.run('a', str):\n    yield ctx.step.sleep('b', 1)", "ctx.step.run('a', str)"),
            ("a = ctx.step.run('a', str) or 'default'\nyield ctx.step.sleep('b', 1)", "ctx.step.run('a', str)"),
            ("await asyncio.gather(ctx.step.run('a', str))\nyield ctx.step.sleep('b', 1)", "ctx.step.run('a', str)"),
            ("yield asyncio.gather(*[ctx.step.run('a', str)])", "ctx.step.run('a', str)"),
            ("asyncio.create_task(quote(ctx, 'a'))\nyield ctx.step.sleep('b', 1)", "quote(ctx, 'a')"),
        ],
    )
    def test_an_intent_where_an_awaitable_goes_is_found(self, body: str, marked: str) -> None:
        assert shown(handler(body, f"import asyncio\n{FLOWS}".replace("\n    ", "\n")), "IGN202") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "if (yield ctx.step.run('a', str)):\n    yield ctx.step.sleep('b', 1)",
            "while not (yield ctx.step.run('a', str)):\n    yield ctx.step.sleep('b', 1)",
            "a = (yield ctx.step.run('a', str)) or 'default'\nyield ctx.step.run('b', str, a)",
            "await other()\nyield ctx.step.sleep('b', 1)",
            "await asyncio.gather(other(), other())\nyield ctx.step.sleep('b', 1)",
            "async for one in numbers():\n    yield ctx.step.run('b', str, one)",
        ],
    )
    def test_what_a_yield_gives_and_other_awaitables_are_left_alone(self, body: str) -> None:
        before = "import asyncio\nasync def other(): ...\nasync def numbers():\n    yield 1"
        assert codes(handler(body, before)) == []


class TestStepAsValue:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("load = ctx.step.run('a', str)\nyield load\nyield ctx.step.run('b', str, load)", "load"),
            ("load = ctx.step.run('a', str)\nyield load\nyield ctx.step.run('b', str, order=load)", "load"),
            ("load = ctx.step.run('a', str)\nyield load\nyield ctx.step.run('b', str, [load])", "load"),
            ("load = ctx.step.run('a', str)\nyield load\nyield ctx.step.run('b', str, {'a': load['id']})", "load"),
            ("load = ctx.step.run('a', str)\nyield load\nyield ctx.step.run('b', str, f'{load}')", "load"),
            ("load = ctx.step.run('a', str)\nyield load\nyield ig.Done(load)", "load"),
            ("load = ctx.step.run('a', str)\nyield load\nyield ctx.defer('b', note, {'order': load})", "load"),
            ("load = ctx.step.run('a', str)\nyield load\nyield ctx.step.invoke('b', 'other', load)", "load"),
            ("load = ctx.step.run('a', str)\nyield load\nyield ctx.step.send_event('b', ig.Event('e', {'order': load}))", "load"),
            ("yield ctx.step.run('b', str, ctx.step.run('a', str))", "ctx.step.run('a', str)"),
            ("yield ctx.step.run('b', str, quote(ctx, 'a'))", "quote(ctx, 'a')"),
            ("yield ig.Done(quote(ctx, 'a'))", "quote(ctx, 'a')"),
            ("yield ig.Done(ctx.step.run('a', str))", "ctx.step.run('a', str)"),
        ],
    )
    def test_a_step_where_its_result_is_meant_is_found(self, body: str, marked: str) -> None:
        assert shown(handler(body, FLOWS), "IGN203") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "load = ctx.step.run('a', str)\nyield load\nyield ctx.step.run('b', str, load.result)",
            "load = ctx.step.run('a', str)\nyield load\nyield ig.Done(load.result.upper())",
            "load = ctx.step.run('a', str)\nyield load\nyield ig.Done(load.id)",
            "yield ctx.step.run('b', str, (yield ctx.step.run('a', str)))",
            "load = yield ctx.step.run('a', str)\nyield ctx.step.run('b', str, load)",
            "load = ctx.step.run('a', str)\nload = yield load\nyield ctx.step.run('b', str, load)",
            "load = ctx.step.run('a', str)\nyield ctx.group.parallel(load, quote(ctx, 'a'))",
            "load = ctx.step.run('a', str)\nyield load\nyield ctx.step.run('b', lambda: load.result)",
            "handle = yield ctx.defer('a', note, {})\nyield ctx.step.run('b', str, handle.id)",
            "yield ig.Done((yield quote(ctx, 'a')))",
        ],
    )
    def test_results_are_left_alone(self, body: str) -> None:
        assert codes(handler(body, FLOWS)) == []


class TestStepInStep:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("yield ctx.step.run('a', quote, ctx, 'a')", "quote"),
            ("yield ctx.step.run('a', lambda: ctx.step.run('b', str))", "ctx.step.run('b', str)"),
            ("def work():\n    return ctx.step.run('b', str)\nyield ctx.step.run('a', work)", "ctx.step.run('b', str)"),
            ("async def work():\n    await ctx.step.sleep('b', 1)\nyield ctx.step.run('a', work)", "ctx.step.sleep('b', 1)"),
            ("yield ctx.step.run('a', nested, ctx)", "ctx.step.run('b', str)"),
            ("yield ctx.step.run('a', functools.partial(quote, ctx), 'a')", "functools.partial(quote, ctx)"),
        ],
    )
    def test_a_step_inside_a_steps_function_is_found(self, body: str, marked: str) -> None:
        before = f"import functools\n{FLOWS}".replace("\n    ", "\n") + "\ndef nested(ctx):\n    return ctx.step.run('b', str)\n"
        assert shown(handler(body, before), "IGN204") == [marked]

    def test_defers_in_one_are_left_alone(self) -> None:
        body = """
            async def work() -> ig.Flow:
                handle = yield ig.defer("d", note, {})
                yield handle.abort()
                yield ig.Done("a")

            def plain() -> str:
                ig.defer("e", note, {}).submit()
                return "b"

            yield ctx.step.run("a", work)
            yield ctx.step.run("b", plain)
        """
        assert codes(handler(body, FLOWS)) == []


class TestCalledTooEarly:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("yield ctx.step.run('a', load('o1'))", "load('o1')"),
            ("yield ctx.step.run('a', load('o1')).timeout('5s')", "load('o1')"),
            ("yield ctx.step.run('a', await load('o1'))", "await load('o1')"),
            ("yield ctx.step.run('a', total([1]))", "total([1])"),
            ("yield ctx.step.run('a', nothing())", "nothing()"),
            ("yield ctx.step.run('a', print('a'))", "print('a')"),
            ("yield ctx.step.run('a', 'o1')", "'o1'"),
            ("yield ctx.step.run('a', quote(ctx, 'a'))", "quote(ctx, 'a')"),
        ],
    )
    def test_a_value_where_a_function_goes_is_found(self, body: str, marked: str) -> None:
        before = """
            async def load(order_id: str) -> str:
                return order_id

            def total(values: list[int]) -> int:
                return sum(values)

            def nothing() -> None: ...

            async def quote(ctx: ig.Context, order: str) -> ig.Flow:
                yield ctx.step.run("rate", str, order)
        """
        assert shown(handler(body, before), "IGN205") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "yield ctx.step.run('a', make('o1'))",
            "yield ctx.step.run('a', unknown())",
            "yield ctx.step.run('a', functools.partial(str, 'o1'))",
            "yield ctx.step.run('a', Loader('o1'))",
            "yield ctx.step.run('a', Loader)",
            "yield ctx.step.run('a', ctx.data.get, 'a')",
            "yield ctx.step.run('a', typed())",
            "yield ctx.step.run('a', wrapped())",
        ],
    )
    def test_a_call_that_gives_a_function_is_left_alone(self, body: str) -> None:
        before = """
            import functools
            from collections.abc import Callable

            def make(order_id: str):
                return lambda: order_id

            def typed() -> Callable[[], str]:
                return lambda: "a"

            class Loader:
                def __call__(self): ...

            @functools.wraps(str)
            def wrapped() -> str: ...
        """
        assert codes(handler(body, before)) == []


def test_a_test_that_drives_a_flow_by_hand_is_left_alone() -> None:
    driver = """
import asyncio

async def test_quote():
    async for intent in quote(None, "a"):
        print(intent)
    task = asyncio.create_task(quote(None, "a"))
    unused = quote(None, "b")
    quote(None, "c")
    ig.Done(1)
"""
    assert codes(f"{HEAD}async def quote(ctx: ig.Context, order: str) -> ig.Flow:\n    yield ctx.step.run('a', str)\n{driver}") == []
