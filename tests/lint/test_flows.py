"""Which functions count as handler code, however they are written."""

import ast

import pytest

from inngest_gen.lint.flows import Flows
from inngest_gen.lint.module import Module
from tests.lint.text import codes

CLOCK = "    yield ctx.step.run('a', str, time.time())\n"


def roles(source: str) -> dict[str, str]:
    """Each function's role by its name."""
    flows = Flows(Module(ast.parse(source)))
    told = {}
    for role, found in (("flow", flows.flows), ("plain", flows.plain), ("body", flows.bodies), ("lazy", flows.lazy)):
        told.update({getattr(code.node, "name", "lambda"): role for code in found})
    return told


@pytest.mark.parametrize(
    "source",
    [
        "import inngest_gen as ig\napp = ig.App('a')\n@app.function('f', trigger='go')\nasync def f(ctx):\n",
        "import inngest_gen\napp = inngest_gen.App('a')\n@app.function('f')\nasync def f(ctx: inngest_gen.Context):\n",
        "from inngest_gen import App\napp = App('a')\n@app.deferred('f')\nasync def f(context):\n".replace("context", "ctx"),
        "from inngest_gen import App as Shop\napp = Shop('a')\n@app.scorer('f')\nasync def f(ctx):\n",
        "from inngest_gen.app.app import App\napp = App('a')\n@app.function('f')\nasync def f(ctx):\n",
        "from shop import app\nimport inngest_gen as ig\n@app.function('f')\nasync def f(ctx: ig.Context):\n",
        "from shop import app\nimport inngest_gen as ig\n@app.function('f')\nasync def f(ctx):\n",
        "import shop\nfrom inngest_gen import Event\n@shop.app.function('f')\nasync def f(ctx):\n",
        "import inngest_gen as ig\nasync def f(ctx: ig.Context):\n",
        "import inngest_gen as ig\nasync def f(ctx: ig.Context[dict[str, int]]) -> ig.Flow:\n",
        "import inngest_gen as ig\nasync def f(ctx: 'ig.DeferContext[int]') -> 'ig.Flow':\n",
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from inngest_gen import Context as C\nasync def f(ctx: C):\n",
        "import inngest_gen as ig\nCtx = ig.Context[int]\nasync def f(order, ctx: Ctx):\n",
        "import inngest_gen as ig\nasync def f(order, *, ctx: ig.Context):\n",
        "import inngest_gen as ig\nasync def f(ctx) -> ig.Flow:\n",
        "import inngest_gen as ig\nasync def f(order, ctx) -> ig.Flow:\n",
        "async def f(ctx):\n",
        "class Shop:\n  async def f(self, ctx):\n    ",
    ],
)
def test_is_a_flow(source: str) -> None:
    inner = CLOCK if "class" not in source else CLOCK.replace("    yield", "yield")
    assert roles(source + inner)["f"] == "flow"
    assert codes(f"import time\n{source.replace('from __future__ import annotations', '')}{inner}") == ["IGN101"]


@pytest.mark.parametrize(
    "source",
    [
        "import modal\napp = modal.App('a')\n@app.function(gpu='a')\nasync def f(x):\n    yield time.time()\n",
        "import modal\nimport inngest_gen\napp = modal.App('a')\n@app.function('f')\nasync def f(x):\n    yield time.time()\n",
        "from other import app\n@app.function('f')\nasync def f(x):\n    yield time.time()\n",
        "import inngest_gen as ig\nasync def f(x):\n    yield time.time()\n",
        "import inngest_gen as ig\nasync def f(x):\n    yield x.step\n",
        "import inngest_gen as ig\nfrom pkg import machine\nasync def f():\n    yield machine.step.run(time.time())\n",
        "import inngest_gen as ig\ndef f(ctx):\n    yield ctx.step.run('a', time.time())\n",
        "import inngest_gen as ig\nasync def f(ctx):\n    await ctx.step.run('a', time.time())\n",
        "async def f(session):\n    yield session.using(time.time())\n# .step.",
        "async def f(env):\n    yield env.step(time.time())\n# .step.",
        "import inngest_gen as ig\n@ig.fixture\nasync def f(ctx: int):\n    yield time.time()\n",
    ],
)
def test_is_none(source: str) -> None:
    assert roles(source) == {}
    assert codes(f"import time\n{source}") == []


HEAD = "import inngest_gen as ig\napp = ig.App('a')\n"


def test_a_handler_without_yields_is_plain() -> None:
    assert roles(f"{HEAD}@app.function('f')\nasync def f(ctx):\n    return 1\n") == {"f": "plain"}


def test_an_on_failure_handler_is_a_handler() -> None:
    source = f"{HEAD}async def g(context):\n    yield context.step.run('a', str)\n@app.function('f', on_failure=g)\nasync def f(ctx):\n    return 1\n"
    assert roles(source) == {"f": "plain", "g": "flow"}
    named = f"{HEAD}async def g(failed):\n    yield step(failed)\n@app.deferred('f', on_failure=g)\nasync def f(ctx):\n    return 1\n"
    assert roles(named)["g"] == "flow"


def test_what_is_given_to_step_run_is_a_body_whatever_it_looks_like() -> None:
    source = f"""{HEAD}
def one(): ...
async def two(ctx: ig.Context): ...
async def three(ctx: ig.Context) -> ig.Flow:
    yield ig.defer('a', one, 1)
class Shop:
    def four(self): ...
    async def f(self, ctx: ig.Context) -> ig.Flow:
        def five(): ...
        six = lambda: 1
        yield ctx.step.run('a', one)
        yield ctx.step.run('a', two, ctx)
        yield ctx.step.run('a', three, ctx)
        yield ctx.step.run('a', self.four)
        yield ctx.step.run('a', five)
        yield ctx.step.run('a', functools.partial(six, 1))
        yield ctx.step.run('a', lambda: 1)
import functools
"""
    expected = dict.fromkeys(["one", "two", "three", "four", "five", "lambda"], "body") | {"f": "flow"}
    assert roles(source) == expected


def test_a_generator_that_only_defers_is_a_flow_only_where_it_is_yielded() -> None:
    note = f"{HEAD}async def note(ctx: ig.Context) -> ig.Flow:\n    yield ctx.defer('a', f, time.time())\n    yield ig.Done(1)\n"
    assert roles(note) == {"note": "lazy"}
    assert codes(f"import time\n{note}") == []
    yielded = f"{note}async def g(ctx: ig.Context) -> ig.Flow:\n    yield note(ctx)\n    yield ctx.step.run('a', str)\n"
    assert roles(yielded) == {"note": "flow", "g": "flow"}
    assert codes(f"import time\n{yielded}") == ["IGN101"]
    given = f"{note}async def g(ctx: ig.Context) -> ig.Flow:\n    yield ctx.step.run('a', note, ctx)\n"
    assert roles(given) == {"note": "body", "g": "flow"}


@pytest.mark.parametrize(
    "use",
    [
        "yield quote(ctx)",
        "yield ctx.group.parallel(quote(ctx))",
        "q = quote(ctx)\n    yield q",
        "yield ctx.group.race(a=ctx.group.parallel(quote(ctx)))",
    ],
)
def test_a_sub_flow_without_annotations_is_known_by_its_use(use: str) -> None:
    source = f"import time\n{HEAD}async def quote(c):\n    yield helper(c)\n    time.sleep(1)\n\n@app.function('f')\nasync def f(ctx):\n    {use}\n"
    assert roles(source)["quote"] == "flow"
    assert codes(source) == ["IGN106"]


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_a_function_that_is_handed_the_context_by_one_of_its_callers_has_it(order: tuple[str, str]) -> None:
    source = f"""{HEAD}
@app.function('{order[0]}')
async def {order[0]}(ctx):
    yield {order[0]}_helper(ctx)

@app.function('{order[1]}')
async def {order[1]}(ctx):
    yield {order[1]}_helper(ctx)

def one_helper(c):
    return charge(None)

def two_helper(c):
    return charge(c)

def charge(c):
    def made():
        return c.step.run('a', body)
    return made()

def body():
    pass
"""
    assert roles(source) == {"one": "flow", "two": "flow", "body": "body"}


def test_inner_flows_see_the_context_around_them() -> None:
    source = f"""import time
{HEAD}
@app.function('f')
async def f(ctx):
    async def branch(n):
        yield ctx.step.run(f'a-{{n}}', str, time.time())
    yield ctx.group.parallel(branch(1), branch(2))
"""
    assert roles(source) == {"f": "flow", "branch": "flow"}
    assert codes(source) == ["IGN101"]


def test_handlers_inside_functions_are_found() -> None:
    source = f"import time\n{HEAD}def make():\n    @app.function('f')\n    async def f(ctx):\n    {CLOCK}    return f\n"
    assert codes(source) == ["IGN101"]


def test_a_method_of_the_same_object_is_a_sub_flow() -> None:
    source = f"""import time
{HEAD}
class Shop:
    async def quote(self, c):
        yield c.step.run('a', str, time.time())
    async def f(self, ctx: ig.Context) -> ig.Flow:
        yield self.quote(ctx)
"""
    assert roles(source) == {"quote": "flow", "f": "flow"}
    assert codes(source) == ["IGN101"]


def test_a_name_that_means_several_things_means_nothing() -> None:
    source = f"import time\n{HEAD}if x:\n    now = time.time\nelse:\n    now = other\nasync def f(ctx: ig.Context):\n    yield ctx.step.run('a', str, now())\n"
    assert codes(source) == []


def test_a_parameter_hides_an_import() -> None:
    assert codes(f"import time\n{HEAD}async def f(ctx: ig.Context, time):\n{CLOCK}") == []


def test_a_global_statement_reaches_the_import() -> None:
    source = f"{HEAD}import time\nasync def f(ctx: ig.Context):\n    global time\n    import time\n{CLOCK}"
    assert codes(source) == ["IGN101"]


def test_names_that_stand_for_each_other_end() -> None:
    assert codes(f"{HEAD}a = b\nb = a\nasync def f(ctx: ig.Context):\n    yield ctx.step.run('a', str, a.b(), b())\n") == []


def test_names_of_the_package_are_known_by_whatever_name_they_are_imported() -> None:
    source = """
from inngest_gen import App as Shop, Context as C, Done as End, Flow as F
from inngest_gen.app.context import defer as later
import inngest_gen.intents.done

app = Shop("a")

async def flow(c: C[int]) -> F:
    if c.data:
        yield inngest_gen.intents.done.Done(1)
        x = 1
    later("a", app, 1)
    yield End(2)
    x = 2
"""
    assert codes(source) == ["IGN502", "IGN201", "IGN502"]


def test_a_context_manager_for_ctx_using_is_no_flow() -> None:
    source = """
import contextlib
from contextlib import asynccontextmanager
import anyio
import inngest_gen as ig

app = ig.App("a")

@asynccontextmanager
async def room(name):
    async with anyio.create_task_group():
        yield name

@contextlib.asynccontextmanager
async def of_the_run(ctx: ig.Context):
    with anyio.CancelScope():
        yield ctx.data

async def bare(name):
    with open(name) as file:
        yield file

@app.function("f", trigger="go")
async def f(ctx: ig.Context) -> ig.Flow:
    one = yield ctx.using(room("x"))
    two = yield ctx.using(of_the_run(ctx))
    three = yield ctx.using(asynccontextmanager(bare)("x"))
    four = yield ctx.using(bare("x"))
    yield ctx.step.run("a", str, one, two, three, four)
"""
    assert codes(source) == []
