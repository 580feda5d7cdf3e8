"""IGN4xx: what is held over a yield is found; around an await, in a step, or by `ctx.using` it is left alone."""

import pytest

from tests.lint.text import codes, handler, shown

SCOPES = """
import asyncio, anyio, trio
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from anyio import move_on_after as limit

@asynccontextmanager
async def limited():
    with anyio.fail_after(5):
        yield

@asynccontextmanager
async def twice():
    async with limited():
        yield

@asynccontextmanager
async def limited_itself():
    with anyio.fail_after(5):
        await anyio.sleep(1)
    yield
"""


@pytest.mark.parametrize(
    "manager",
    [
        "with anyio.CancelScope():", "with anyio.move_on_after(5):", "with anyio.fail_after(5) as scope:", "with limit(5):",
        "async with anyio.create_task_group():", "async with anyio.create_task_group() as tasks:", "with trio.CancelScope():",
        "async with trio.open_nursery() as nursery:", "with trio.fail_after(5):", "async with asyncio.timeout(5):", "async with asyncio.TaskGroup() as tasks:",
        "async with limited():", "async with twice():", "scope = anyio.CancelScope()\nwith scope:", "with anyio.move_on_after(5), other():",
    ],
)  # fmt: skip
class TestScopes:
    def test_over_a_step_are_found(self, manager: str) -> None:
        assert codes(handler(f"{manager}\n    yield ctx.step.run('a', str)", SCOPES)) == ["IGN402"]

    def test_over_a_sub_flow_in_a_branch_are_found(self, manager: str) -> None:
        body = f"{manager}\n    if ctx.data:\n        x = yield flow(ctx)\nyield ctx.step.run('b', str)"
        assert codes(handler(body, f"{SCOPES}\nasync def flow(ctx: ig.Context) -> ig.Flow:\n    yield ctx.step.run('a', str)")) == [
            "IGN402"
        ]

    def test_around_an_await_are_left_alone(self, manager: str) -> None:
        assert codes(handler(f"{manager}\n    await other()\nyield ctx.step.run('a', str)", SCOPES)) == []

    def test_over_what_does_not_suspend_are_left_alone(self, manager: str) -> None:
        before = f"{SCOPES}\n@app.deferred('note')\nasync def note(ctx: ig.DeferContext) -> ig.Flow:\n    yield ctx.step.run('a', str)\n"
        body = f"{manager}\n    handle = yield ctx.defer('d', note, {{}})\n    yield handle.abort()\nyield ctx.step.run('a', str)"
        assert codes(handler(body, before)) == []

    def test_in_a_step_are_left_alone(self, manager: str) -> None:
        lines = "".join(f"    {line}\n" for line in manager.split("\n"))
        before = f"{SCOPES}\nasync def work():\n{lines}        await other()\n"
        assert codes(handler("yield ctx.step.run('a', work)", before)) == []


def test_a_scope_on_an_exit_stack_is_found() -> None:
    body = "with ExitStack() as stack:\n    stack.enter_context(anyio.move_on_after(5))\n    yield ctx.step.run('a', str)"
    assert shown(handler(body, SCOPES), "IGN402") == ["anyio.move_on_after(5)"]


def test_a_scope_that_is_left_before_a_managers_yield_is_left_alone() -> None:
    assert codes(handler("async with limited_itself():\n    yield ctx.step.run('a', str)", SCOPES)) == []


RESOURCES = """
import asyncio, httpx, sqlite3, tempfile, threading
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager, nullcontext, suppress
from pathlib import Path

LOCK = threading.Lock()
gate = asyncio.Semaphore(3)

@contextmanager
def guarded():
    try:
        yield 1
    finally:
        print("closed")

@contextmanager
def unguarded():
    yield 1

@asynccontextmanager
async def quiet():
    try:
        yield 1
    finally:
        await other()

@asynccontextmanager
async def connected():
    async with httpx.AsyncClient() as client:
        yield client

class Timer:
    def __enter__(self): ...
    def __exit__(self, *error): ...

def numbers():
    try:
        yield 1
    finally:
        print("closed")

def plain_numbers():
    yield 1
"""


@pytest.mark.parametrize(
    ("manager", "marked"),
    [
        ("with open('a') as file:", "open('a')"),
        ("with Path('a').open() as file:", "Path('a').open()"),
        ("async with httpx.AsyncClient() as client:", "httpx.AsyncClient()"),
        ("with sqlite3.connect('a') as db:", "sqlite3.connect('a')"),
        ("with tempfile.TemporaryDirectory() as folder:", "tempfile.TemporaryDirectory()"),
        ("with LOCK:", "LOCK"),
        ("async with gate:", "gate"),
        ("with guarded():", "guarded()"),
        ("async with connected() as client:", "connected()"),
        ("async with pool.acquire() as connection:", "pool.acquire()"),
        ("async with db.transaction():", "db.transaction()"),
        ("async with engine.begin() as connection:", "engine.begin()"),
        ("with nullcontext(), guarded():", "guarded()"),
        ("for n in numbers():", "numbers()"),
    ],
)
class TestResources:
    def test_over_a_step_are_found(self, manager: str, marked: str) -> None:
        source = handler(f"{manager}\n    yield ctx.step.run('a', str)", RESOURCES)
        assert shown(source, "IGN401") == [marked]
        assert codes(source) == ["IGN401"]

    def test_in_a_step_are_left_alone(self, manager: str, marked: str) -> None:
        kind = "async def" if manager.startswith("async") else "def"
        assert codes(handler("yield ctx.step.run('a', work)", f"{RESOURCES}\n{kind} work():\n    {manager}\n        pass\n")) == []

    def test_around_no_yield_are_not_held(self, manager: str, marked: str) -> None:
        body = f"{manager}\n    await other()\nyield ctx.step.run('a', str)"
        assert "IGN401" not in codes(handler(body, RESOURCES))


@pytest.mark.parametrize(
    "body",
    [
        "with Timer():\n    yield ctx.step.run('a', str)",
        "with unguarded():\n    yield ctx.step.run('a', str)",
        "async with quiet():\n    yield ctx.step.run('a', str)",
        "with suppress(ig.StepError):\n    yield ctx.step.run('a', str)",
        "with nullcontext(), ExitStack():\n    yield ctx.step.run('a', str)",
        "async with AsyncExitStack() as stack:\n    await stack.enter_async_context(quiet())\n    yield ctx.step.run('a', str)",
        "for n in plain_numbers():\n    yield ctx.step.run('a', str)",
        "for n in list(numbers()):\n    yield ctx.step.run('a', str)",
        "async for n in ctx.data:\n    yield ctx.step.run('a', str)",
        "client = yield ctx.using(httpx.AsyncClient())\nyield ctx.step.run('a', client.get, 'b')",
        "yield ctx.using(guarded())\nyield ctx.step.run('a', str)",
        "yield ctx.using(anyio_pool.acquire())\nyield ctx.step.run('a', str)",
        "with tracer.start_as_current_span('a'):\n    yield ctx.step.run('a', str)",
        "async with client.session() as session:\n    yield ctx.step.run('a', str)",
    ],
)
def test_what_may_be_held_is_left_alone(body: str) -> None:
    assert codes(handler(body, RESOURCES)) == []


def test_a_generator_on_an_exit_stack_is_found() -> None:
    body = "with ExitStack() as stack:\n    stack.enter_context(guarded())\n    yield ctx.step.run('a', str)"
    assert shown(handler(body, RESOURCES), "IGN401") == ["guarded()"]
