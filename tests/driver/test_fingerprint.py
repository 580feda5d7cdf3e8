"""Fingerprints: the same code gives the same one in every process; a change of a handler or of what it reaches gives another."""

import functools
import json
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.driver.fingerprint import fingerprint

SOURCE = """
import functools

async def deep(ctx):
    yield ctx.step.run("deep", print)

async def sub(ctx, depth=1, *, kind="x"):
    yield deep(ctx)

async def by_default(ctx):
    yield ctx.step.run("default", print)

def plain(ctx):
    return [sub(ctx)]

def makes(ctx):
    return ctx.step.run("made", print)

def body():
    return 1

class Flows:
    @staticmethod
    async def static(ctx):
        yield ctx.step.run("static", print)

async def unrelated(ctx):
    yield ctx.step.run("unrelated", print)

async def handler(ctx, flow=by_default):
    # a comment
    for name in {"a", "b", "c", "d"}:
        yield ctx.step.run(name, body)
    yield ctx.group.parallel(*plain(ctx))
    yield makes(ctx)
    yield Flows.static(ctx)
    async def nested(ctx):
        yield ctx.step.run("nested", print)
    yield nested(ctx)
"""


@pytest.fixture(name="module")
def _module() -> Callable[..., types.ModuleType]:
    def make(*changes: tuple[str, str], name: str = "shop.flows") -> types.ModuleType:
        source = SOURCE
        for before, after in changes:
            assert before in source
            source = source.replace(before, after)
        module = types.ModuleType(name)
        exec(compile(source, f"/some/where/{len(source)}.py", "exec"), vars(module))
        return module

    return make


Make = Callable[..., types.ModuleType]


def changed(module: Make, *changes: tuple[str, str]) -> set[str]:
    before, after = fingerprint(module().handler), fingerprint(module(*changes).handler)
    return {name.removeprefix("shop.flows.") for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_it_covers_what_the_handler_reaches(module: Make) -> None:
    assert [name.removeprefix("shop.flows.") for name in fingerprint(module().handler)] == [
        "Flows.static",
        "by_default",
        "deep",
        "handler",
        "makes",
        "sub",
    ]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("# a comment", "# another\n\n    # comment"), set()),
        (("return 1", "return 2"), set()),
        (('"unrelated", print', '"other", print'), set()),
        (('"deep"', '"deeper"'), {"deep"}),
        (("depth=1", "depth=2"), {"sub"}),
        (('kind="x"', 'kind="y"'), {"sub"}),
        (('"made"', '"maid"'), {"makes"}),
        (('"static"', '"dynamic"'), {"Flows.static"}),
        (('"default"', '"other"'), {"by_default"}),
        (('"nested"', '"nestled"'), {"handler"}),
        (('"a", "b", "c"', '"a", "b", "e"'), {"handler"}),
        (("yield makes(ctx)", "yield makes(ctx)\n    yield makes(ctx)"), {"handler"}),
        (("return [sub(ctx)]", "return [deep(ctx)]"), {"sub"}),
        (("yield makes(ctx)", "yield sub(ctx)"), {"handler", "makes"}),
    ],
)
def test_what_changes_it(module: Make, change: tuple[str, str], names: set[str]) -> None:
    assert changed(module, change) == names


def test_a_change_of_the_file_and_of_lines_does_not_change_it(module: Make) -> None:
    assert not changed(module, ("import functools", "import functools\n\n\n"))


def test_it_is_the_same_in_every_process() -> None:
    program = f"source = {SOURCE!r}\n" + textwrap.dedent("""
        import json, types
        from inngest_gen.driver.fingerprint import fingerprint
        module = types.ModuleType("shop.flows")
        exec(compile(source, "<elsewhere>", "exec"), vars(module))
        print(json.dumps(fingerprint(module.handler)))
    """)
    found = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2", "3")
    ]
    assert len(set(found)) == 1
    assert len(json.loads(found[0])) == 6


def test_it_is_the_same_once_the_code_has_run(module: Make) -> None:
    handler = module().handler
    before = fingerprint(handler)
    for _ in range(100):  # the interpreter rewrites code that is hot
        fingerprint(handler)
        with pytest.raises(AttributeError):
            handler(None).asend(None).send(None)
    assert fingerprint(handler) == before


def test_a_function_of_an_app_a_method_and_a_partial_are_looked_into() -> None:
    app = ig.App("t")

    async def handler(ctx: ig.Context, extra: int = 0) -> ig.Flow:
        yield ctx.step.run("a", print)

    async def caller(ctx: ig.Context) -> ig.Flow:
        yield registered(ctx)

    class Flows:
        async def flow(self, ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", print)

    registered = app.function("f")(handler)
    [(name, hash)] = fingerprint(registered).items()
    assert name.endswith("<locals>.handler")
    assert fingerprint(handler) == fingerprint(functools.partial(handler, extra=1)) == {name: hash}
    assert fingerprint(caller)[name] == hash
    assert list(fingerprint(Flows().flow)) == [f"{Flows.__module__}.{Flows.flow.__qualname__}"]


def test_a_wrapped_handler_shares_its_name_with_its_wrapper() -> None:
    def decorate(text: str) -> Callable[[Any], Any]:
        def wrap(fn: Any) -> Any:
            @functools.wraps(fn)
            async def wrapper(ctx: ig.Context) -> ig.Flow:
                yield fn(ctx)

            return wrapper

        return wrap

    async def one(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", print)

    async def two(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("b", print)

    two.__qualname__ = one.__qualname__
    wrap = decorate("x")
    assert fingerprint(wrap(one)).keys() == fingerprint(wrap(two)).keys() == fingerprint(one).keys()
    assert fingerprint(wrap(one)) != fingerprint(wrap(two))
    assert fingerprint(wrap(one)) == fingerprint(wrap(one))


def test_what_is_no_python_function_is_refused() -> None:
    for thing in (print, 1, None, object()):
        with pytest.raises(TypeError, match="a Python function"):
            fingerprint(thing)


def test_globals_that_do_not_like_to_be_looked_at_are_left_alone() -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("outside of a request")

    namespace: dict[str, Any] = {"proxy": Proxy()}
    exec("async def handler(ctx):\n    proxy.handler\n    yield proxy.deep.x\n", namespace)
    assert len(fingerprint(namespace["handler"])) == 1
