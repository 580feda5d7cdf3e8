"""Handlers for the laws: one for each thing a handler can do, and `programs`, which draws handlers that do many at once."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

import inngest_gen as ig

APP = ig.App("corpus")
Handler = Callable[[ig.Context], Any]
HANDLERS: list[Handler] = []


def handler(fn: Handler) -> Handler:
    HANDLERS.append(fn)
    return fn


@APP.deferred("note")
async def note(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done()


async def checked(data: Any) -> Any:
    if data.get("bad"):
        raise ValueError("bad")
    return data


@APP.deferred("checked", schema=checked)
async def slow_note(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done()


async def echo(value: Any = None) -> Any:
    return value


def fails(message: str) -> None:
    raise ValueError(message)


async def numbers(count: int) -> AsyncIterator[int]:
    for n in range(count):
        yield n


@handler
async def nothing(ctx: ig.Context) -> ig.Flow:
    yield ig.Done("nothing")


@handler
async def plain(ctx: ig.Context) -> str:
    handle = ctx.defer("a", note, {}).submit()
    ctx.defer("b", slow_note, {}).submit()
    ctx.defer("c", note, {}).submit()
    handle.abort().submit()
    return "plain"


@handler
async def linear(ctx: ig.Context) -> ig.Flow:
    total = 0
    for n in range(12):
        total += yield ctx.step.run("add", echo, n)
        if n % 5 == 4:
            yield ctx.step.sleep("rest", 1)
    yield ig.Done(total)


@handler
async def colliding_ids(ctx: ig.Context) -> ig.Flow:
    values = []
    for id in ["A", "A:1", "A", "A", "A:1", "A:2"]:
        values.append((yield ctx.step.run(id, echo, id)))
        values += yield ctx.group.parallel(ctx.step.run("A", echo, 1), ctx.step.run("A", echo, 2))
    yield ig.Done(values)


@handler
async def chosen_by_chance(ctx: ig.Context) -> ig.Flow:
    picked = []
    for n in range(5):
        name = ctx.random.choice("xyz")
        picked.append((yield ctx.step.run(name, echo, n)))
        if ctx.random.random() < 0.5:
            yield ctx.group.race(ctx.step.run(str(ctx.uuid()), echo), ctx.step.sleep("s", 1))
    yield ig.Done(picked)


@handler
async def branches(ctx: ig.Context) -> ig.Flow:
    positional = yield ctx.group.parallel(*[ctx.step.run("a", echo, n) for n in range(4)], quote(ctx, 1))
    named = yield ctx.group.parallel(x=quote(ctx, 2), y=ctx.step.sleep("s", 1), z=ctx.group.parallel())
    yield ig.Done([positional, named])


async def quote(ctx: ig.Context, depth: int) -> ig.Flow:
    rate = yield ctx.step.run("rate", echo, depth)
    below = (yield quote(ctx, depth - 1)) if depth else []
    yield ig.Done([rate, *below])


@handler
async def races(ctx: ig.Context) -> ig.Flow:
    winners = []
    for _ in range(3):
        winner = (
            yield ctx.group.race(quote(ctx, 1), a=None)
            if False
            else ctx.group.race(quote(ctx, 1), ctx.step.run("quick", echo, 1), cleaning(ctx, "c"))
        )
        winners.append(list(winner))
    yield ig.Done(winners)


async def cleaning(ctx: ig.Context, name: str) -> ig.Flow:
    try:
        yield ctx.step.run(name, echo, name)
        yield quote(ctx, 1)
        yield ig.Done(name)
    finally:
        yield ctx.step.run(f"clean {name}", echo)
        yield ctx.defer(f"cleaned {name}", note, {})
        try:
            yield ctx.step.run("clean again", fails, name)
        except ig.StepError:
            yield ctx.step.sleep("rest", 1)


async def failing_clean_up(ctx: ig.Context, name: str) -> ig.Flow:
    try:
        yield ctx.step.run(name, echo, name)
        yield ctx.step.run(name, echo, name)
    finally:
        yield ctx.step.run(f"clean {name}", fails, name)


@handler
async def nested(ctx: ig.Context) -> ig.Flow:
    inner = ctx.group.race(cleaning(ctx, "a"), ctx.group.parallel(cleaning(ctx, "b"), ctx.step.run("p", echo)))
    outer = yield ctx.group.race(inner, ctx.group.parallel(quote(ctx, 2), ctx.group.race(cleaning(ctx, "c"), ctx.step.run("w", echo))))
    yield ig.Done([outer.key, (yield ctx.step.run("after", echo, 1))])


@handler
async def losers_that_fail(ctx: ig.Context) -> ig.Flow:
    results = yield ctx.group.parallel(
        ctx.group.race(failing_clean_up(ctx, "a"), ctx.step.run("w1", echo, 1)),
        ctx.group.race(failing_clean_up(ctx, "b"), cleaning(ctx, "c"), ctx.step.run("w2", fails, "w2")),
        return_exceptions=True,
    )
    yield ig.Done([type(result).__name__ for result in results])


@handler
async def errors_caught(ctx: ig.Context) -> ig.Flow:
    seen = []
    for n in range(3):
        try:
            yield ctx.step.run("fails", fails, str(n))
        except ig.StepError as error:
            seen.append(str(error))
            yield ctx.step.run("caught", echo)
    try:
        yield ctx.group.parallel(ctx.step.run("fails", fails, "x"), quote(ctx, 1), leaving(ctx))
    except* ig.StepError as group:
        seen += [str(error) for error in group.exceptions]
    yield ig.Done(seen)


@handler
async def leaving(ctx: ig.Context) -> ig.Flow:
    try:
        yield ctx.defer("before", note, {})
        yield ctx.step.run("a", echo)
        yield ctx.step.run("fails", fails, "leaving")
    finally:
        yield ctx.defer("after", note, {})
        yield ctx.step.run("clean", echo)


@handler
async def leaving_as_a_group(ctx: ig.Context) -> ig.Flow:
    yield ctx.group.parallel(leaving(ctx), ctx.group.parallel(ctx.step.run("f", fails, "f"), ctx.step.run("g", echo)))


@handler
async def own_error(ctx: ig.Context) -> ig.Flow:
    yield ctx.defer("d", note, {})
    yield ctx.step.run("a", echo)
    raise LookupError("own")


@handler
async def ends_in_finally(ctx: ig.Context) -> ig.Flow:
    try:
        try:
            yield ig.Done((yield ctx.step.run("a", echo, 1)))
        finally:
            yield ctx.group.parallel(quote(ctx, 1), ctx.step.sleep("s", 1))
    finally:
        yield ctx.step.run("b", echo)


@handler
async def loops_over_a_generator(ctx: ig.Context) -> ig.Flow:
    seen = []
    async for n in numbers(3):
        seen.append((yield ctx.step.run("n", echo, n)))  # noqa: PERF401 - a comprehension cannot yield
    yield ig.Done(seen)


@handler
async def every_step(ctx: ig.Context) -> ig.Flow:
    a = yield ctx.step.sleep_until("until", "2030-01-01T00:00:00Z")
    b = yield ctx.step.wait_for_event("event", "x", timeout=1)
    c = yield ctx.step.wait_for_signal("signal", "x", timeout=1)
    d = yield ctx.step.send_signal("send signal", "x")
    e = yield ctx.step.send_event("send", ig.Event("x"))
    f = yield ctx.step.invoke("invoke", "x")
    yield ig.Done([a, b, c, d, e, f])


def defers_in_body(ctx: ig.Context, name: str, *, then_fails: bool = False) -> str:
    ctx.defer(f"{name} 1", note, {}).submit()
    ctx.defer(f"{name} 2", note, {}).submit().abort().submit()
    if then_fails:
        raise ValueError("after defers")
    return name


async def defers_in_generator_body(ctx: ig.Context, name: str) -> ig.Flow:
    yield ctx.defer(f"{name} 1", slow_note, {})
    handle = yield ctx.defer(f"{name} 2", note, {})
    yield handle.abort()
    yield ig.Done(name)


@handler
async def defers_of_every_fate(ctx: ig.Context) -> ig.Flow:
    sent = yield ctx.defer("sent", note, {})
    unsent = yield ctx.defer("aborted before it is sent", note, {})
    late = yield ctx.defer("aborted later", note, {})
    yield unsent.abort()
    yield ctx.defer("sent", note, {"twice": True})
    yield ctx.defer("misuse", echo, {})  # type: ignore[arg-type]
    yield ctx.defer("bad", slow_note, {"bad": True})
    ctx.defer("submitted", slow_note, {}).submit()
    yield ctx.step.run("body", defers_in_body, ctx, "body")
    try:
        yield ctx.step.run("failing", defers_in_body, ctx, "failing", then_fails=True)
    except ig.StepError:
        yield late.abort()
    yield ctx.step.run("generator", defers_in_generator_body, ctx, "generator")
    yield ctx.defer("aborted later", note, {})
    yield ctx.group.race(cleaning(ctx, "x"), cleaning(ctx, "y"), ctx.step.run("in a loser", defers_in_body, ctx, "loser"))
    yield late.abort()
    yield ctx.defer("last", note, {})
    yield ig.Done(sent.active)


# Programs: what a drawn handler does, as a tree.


@dataclass(frozen=True)
class Node:
    op: str
    name: str = ""
    inner: tuple["Node", ...] = ()


NAMES = st.sampled_from(["a", "b", "c", "a:1"])
leaves = st.builds(Node, st.sampled_from(["step", "step", "step", "fail", "sleep", "body", "defer", "abort", "done", "raise"]), NAMES)


def _grow(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    some = st.lists(nodes, max_size=3).map(tuple)
    two = st.tuples(nodes, nodes)
    return st.one_of(
        st.builds(Node, st.sampled_from(["seq", "seq", "flow", "parallel", "gather"]), NAMES, some),
        st.builds(Node, st.just("race"), NAMES, st.lists(nodes, min_size=1, max_size=3).map(tuple)),
        st.builds(Node, st.sampled_from(["finally", "finally", "except"]), NAMES, two),
    )


programs = st.recursive(leaves, _grow, max_leaves=14)


def drawn(program: Node) -> Handler:
    """The handler that does what a program says."""

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield _flow(ctx, program, {})))

    return handler


def _branch(ctx: ig.Context, node: Node, handles: dict[str, ig.DeferHandle]) -> Any:
    match node.op:
        case "step":
            return ctx.step.run(node.name, echo, node.name)
        case "sleep":
            return ctx.step.sleep(node.name, 1)
        case "fail":
            return ctx.step.run(node.name, fails, node.name)
        case "body":
            return ctx.step.run(node.name, defers_in_body, ctx, f"body {node.name}")
        case "parallel" | "gather":
            branches = [_branch(ctx, inner, handles) for inner in node.inner]
            return ctx.group.parallel(*branches, return_exceptions=node.op == "gather")
        case "race":
            return ctx.group.race(*[_branch(ctx, inner, handles) for inner in node.inner])
        case _:
            return _flow(ctx, node, handles)


async def _flow(ctx: ig.Context, node: Node, handles: dict[str, ig.DeferHandle]) -> ig.Flow:
    match node.op:
        case "seq" | "flow":
            results = []
            for inner in node.inner:
                results.append(_plain((yield _branch(ctx, inner, handles))))  # noqa: PERF401 - as above
            yield ig.Done(results)
        case "finally":
            try:
                yield ig.Done(_plain((yield _branch(ctx, node.inner[0], handles))))
            finally:
                yield _branch(ctx, node.inner[1], handles)
        case "except":
            try:
                result = _plain((yield _branch(ctx, node.inner[0], handles)))
            except Exception as error:
                result = [type(error).__name__, _plain((yield _branch(ctx, node.inner[1], handles)))]
            yield ig.Done(result)
        case "defer":
            handles[node.name] = yield ctx.defer(node.name, note, {})
        case "abort":
            if node.name in handles:
                yield handles[node.name].abort()
        case "done":
            yield ig.Done(node.name)
        case "raise":
            raise LookupError(node.name)
        case _:
            yield ig.Done(_plain((yield _branch(ctx, node, handles))))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseException):
        return type(value).__name__
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
