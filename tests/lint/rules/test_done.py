"""IGN5xx: Done inside a `with`, code after it, what swallows it, ways that lack it."""

import pytest

from tests.lint.text import HEAD, codes, handler, shown

MANAGERS = """
import sys
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext, suppress
from typing import NoReturn, assert_never

@asynccontextmanager
async def transaction():
    try:
        yield
    except BaseException:
        await rollback()
        raise
    await commit()

@contextmanager
def lasting():
    try:
        yield
    finally:
        print("left")

@contextmanager
def short():
    yield
    print("only without an error")

class Blind:
    def __enter__(self): ...
    def __exit__(self, *error): print("left")

class Seeing:
    def __enter__(self): ...
    def __exit__(self, cls, error, traceback): print(cls)

def fail() -> NoReturn:
    raise ig.NonRetriableError("no")
"""


class TestDoneInWith:
    @pytest.mark.parametrize(
        "manager",
        [
            "async with transaction():",
            "with short():",
            "with Seeing():",
            "with unknown():",
            "with Blind(), Seeing():",
            "with tracer.span('a') as span:",
        ],
    )
    def test_a_manager_that_may_look_at_errors_is_found(self, manager: str) -> None:
        assert shown(handler(f"{manager}\n    yield ig.Done(1)", MANAGERS), "IGN501") == ["yield ig.Done(1)"]

    @pytest.mark.parametrize(
        "manager",
        [
            "with lasting():",
            "with Blind():",
            "with nullcontext():",
            "with suppress(ValueError):\n    yield ig.Done(2)\nwith nullcontext():",
            "with closing(ctx):",
        ],
    )
    def test_one_that_surely_does_not_is_left_alone(self, manager: str) -> None:
        assert codes(handler(f"{manager}\n    yield ig.Done(1)", MANAGERS)) == []

    @pytest.mark.parametrize(
        "body",
        [
            "async with transaction():\n    result = 1\nyield ig.Done(result)",
            "with Seeing():\n    await other()\nif ctx.data:\n    yield ig.Done(1)\nelse:\n    yield ig.Done(2)",
            "try:\n    yield ig.Done(1)\nfinally:\n    print",
        ],
    )
    def test_done_after_it_is_left_alone(self, body: str) -> None:
        assert codes(handler(body, MANAGERS)) == []


class TestAfterDone:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("yield ig.Done(1)\nyield ctx.step.run('a', str)", "yield ctx.step.run('a', str)"),
            ("yield ig.Done(1)\nctx.logger.info('done')\nx = 1", "ctx.logger.info('done')"),
            ("if ctx.data:\n    yield ig.Done(1)\n    x = 1\nyield ig.Done(2)", "x = 1"),
            ("if ctx.data:\n    yield ig.Done(1)\nelse:\n    yield ig.Done(2)\nx = 1", "x = 1"),
            ("try:\n    yield ig.Done(1)\n    x = 1\nfinally:\n    pass", "x = 1"),
            ("for n in ctx.data:\n    yield ig.Done(1)\n    x = 1\nyield ig.Done(2)", "x = 1"),
            ("x = yield ig.Done(1)\ny = x", "y = x"),
            ("end = ig.Done(1)\nyield end\nx = 1", "x = 1"),
        ],
    )
    def test_what_is_never_reached_is_found(self, body: str, marked: str) -> None:
        assert shown(handler(body), "IGN502") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "yield ig.Done(1)\nreturn",
            "yield ig.Done(1)\npass",
            "yield ig.Done(1)\nraise AssertionError('not reached')",
            "yield ig.Done(1)\nassert False",
            "for n in ctx.data:\n    if n:\n        yield ig.Done(n)\n        break\nyield ig.Done(None)",
            "while True:\n    yield ctx.step.sleep('a', 1)\n    if ctx.data:\n        yield ig.Done(1)\n        continue",
            "if ctx.data:\n    yield ig.Done(1)\nyield ctx.step.run('a', str)\nyield ig.Done(2)",
            "if ctx.data:\n    yield ig.Done(1)\nelse:\n    pass\nyield ig.Done(2)",
            "try:\n    yield ig.Done(1)\nfinally:\n    yield ctx.step.run('a', str)",
            "try:\n    yield ctx.step.run('a', str)\nexcept ig.StepError:\n    yield ig.Done(1)\nyield ig.Done(2)",
            "with suppress(ValueError):\n    yield ig.Done(1)\nyield ig.Done(2)",
            "raise ValueError\nyield ig.Done(1)",
        ],
    )
    def test_what_is_reached_or_says_nothing_is_left_alone(self, body: str) -> None:
        assert codes(handler(body, MANAGERS)) == []


class TestSwallowed:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("try:\n    yield ig.Done(1)\nexcept BaseException:\n    pass", "except BaseException:"),
            ("try:\n    yield ig.Done(1)\nexcept:\n    pass", "except:"),
            ("try:\n    yield ig.Done(1)\nexcept GeneratorExit:\n    pass", "except GeneratorExit:"),
            (
                "try:\n    yield ig.Done(1)\nexcept (ValueError, BaseException) as error:\n    print",
                "except (ValueError, BaseException) as error:",
            ),
            (
                "try:\n    if ctx.data:\n        yield ig.Done(1)\nexcept BaseException as error:\n    x = error",
                "except BaseException as error:",
            ),
            ("with suppress(BaseException):\n    yield ig.Done(1)", "suppress(BaseException)"),
            ("try:\n    yield ig.Done(1)\nexcept ValueError:\n    raise\nexcept BaseException:\n    pass", "except BaseException:"),
        ],
    )
    def test_what_catches_the_generator_exit_of_done_is_found(self, body: str, marked: str) -> None:
        assert [one.rstrip() for one in shown(handler(body, MANAGERS), "IGN503")] == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "try:\n    yield ig.Done(1)\nexcept Exception:\n    yield ig.Done(2)",
            "try:\n    yield ig.Done(1)\nexcept ig.StepError:\n    yield ig.Done(2)",
            "try:\n    yield ig.Done(1)\nexcept BaseException:\n    await other()\n    raise",
            "try:\n    yield ig.Done(1)\nexcept BaseException as error:\n    if isinstance(error, GeneratorExit):\n        raise\n    yield ig.Done(2)",
            "try:\n    yield ig.Done(1)\nexcept GeneratorExit:\n    raise\nexcept BaseException:\n    yield ig.Done(2)",
            "try:\n    yield ctx.step.run('a', str)\nexcept BaseException:\n    yield ctx.step.run('b', str)",
            "try:\n    yield ctx.step.run('a', str)\nexcept BaseException:\n    yield ig.Done(2)",
            "try:\n    yield ctx.step.run('a', str)\nexcept:\n    pass\nelse:\n    yield ig.Done(1)",
            "try:\n    await other()\nexcept BaseException:\n    pass\nyield ig.Done(1)",
        ],
    )
    def test_what_lets_it_pass_is_left_alone(self, body: str) -> None:
        assert "IGN503" not in codes(handler(body))

    def test_a_branch_of_a_race_may_be_ended_at_any_yield(self) -> None:
        branch = """
            async def branch(ctx: ig.Context) -> ig.Flow:
                try:
                    yield ctx.step.run("a", str)
                except BaseException:
                    pass
        """
        assert codes(handler("yield ctx.group.race(branch(ctx), ctx.step.sleep('b', 1))", branch)) == ["IGN503"]
        assert codes(handler("yield ctx.group.race(a=branch(ctx))", branch)) == ["IGN503"]
        assert codes(handler("yield ctx.group.parallel(branch(ctx), ctx.step.sleep('b', 1))", branch)) == []


class TestMissingDone:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("if ctx.data:\n    yield ig.Done(1)", "if ctx.data:"),
            ("if ctx.data:\n    yield ig.Done(1)\nyield ctx.step.run('a', str)", "yield ctx.step.run('a', str)"),
            ("if ctx.data:\n    yield ig.Done(1)\nelif ctx.events:\n    yield ig.Done(2)", "elif ctx.events:"),
            ("if ctx.data:\n    yield ig.Done(1)\nelse:\n    yield ctx.step.run('a', str)", "yield ctx.step.run('a', str)"),
            ("for one in ctx.data:\n    yield ig.Done(one)", "for one in ctx.data:"),
            ("while ctx.data:\n    yield ig.Done(1)", "while ctx.data:"),
            ("while True:\n    if ctx.data:\n        break\n    yield ig.Done(1)", "while True:"),
            (
                "try:\n    yield ctx.step.run('a', str)\n    yield ig.Done(1)\nexcept ig.StepError:\n    yield ctx.step.run('b', str)",
                "yield ctx.step.run('b', str)",
            ),
            (
                "match ctx.data:\n    case 1:\n        yield ig.Done(1)\n    case 2:\n        yield ctx.step.run('a', str)",
                "match ctx.data:",
            ),
            ("with suppress(ig.StepError):\n    yield ctx.step.run('a', str)\n    yield ig.Done(1)", "with suppress(ig.StepError):"),
        ],
    )
    def test_a_way_without_a_result_is_found(self, body: str, marked: str) -> None:
        assert shown(handler(body, MANAGERS), "IGN504") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "yield ctx.step.run('a', str)",
            "yield ig.Done(1)",
            "if ctx.data:\n    yield ig.Done()\nyield ctx.step.run('a', str)",
            "if ctx.data:\n    yield ig.Done(None)\nyield ctx.step.run('a', str)",
            "if ctx.data:\n    yield ig.Done(1)\nyield ctx.step.run('a', str)\nyield ig.Done()",
            "if ctx.data:\n    yield ig.Done(1)\nelse:\n    yield ig.Done(2)",
            "if ctx.data:\n    yield ig.Done(1)\nreturn",
            "if ctx.data:\n    yield ig.Done(1)\nraise ValueError",
            "if ctx.data:\n    yield ig.Done(1)\nfail()",
            "if ctx.data:\n    yield ig.Done(1)\nassert_never(ctx.data)",
            "if ctx.data:\n    yield ig.Done(1)\nsys.exit()",
            "while True:\n    yield ctx.step.sleep('a', 1)\n    if ctx.data:\n        yield ig.Done(1)",
            "while 1:\n    for n in ctx.data:\n        break\n    yield ig.Done(1)",
            "for one in ctx.data:\n    if one:\n        yield ig.Done(one)\nelse:\n    yield ig.Done(0)",
            "try:\n    yield ig.Done(1)\nexcept ig.StepError:\n    yield ig.Done(2)",
            "try:\n    yield ctx.step.run('a', str)\nexcept ig.StepError as error:\n    yield ig.Done(error.message)",
            "try:\n    yield ctx.step.run('a', str)\nfinally:\n    yield ig.Done(1)",
            "try:\n    yield ig.Done(1)\nfinally:\n    yield ctx.step.run('a', str)",
            "match ctx.data:\n    case 1:\n        yield ig.Done(1)\n    case _:\n        yield ig.Done(2)",
            "match ctx.data:\n    case 1:\n        yield ig.Done(1)\n    case other:\n        assert_never(other)",
            "match ctx.data:\n    case 1:\n        yield ig.Done(1)\n    case 2:\n        yield ig.Done(2)",
            "async def inner(ctx: ig.Context) -> ig.Flow:\n    yield ctx.step.run('b', str)\n    yield ig.Done(1)\nyield inner(ctx)",
            "if True:\n    yield ig.Done(1)",
        ],
    )
    def test_ways_that_all_say_their_result_are_left_alone(self, body: str) -> None:
        assert codes(handler(body, MANAGERS)) == []


def test_a_generator_that_is_a_step_body_ends_by_done_too() -> None:
    body = "async def work() -> ig.Flow:\n    yield ig.defer('a', note, {})\n    yield ig.Done(1)\n    x = 1\n"
    assert codes(HEAD + body) == ["IGN502"]
