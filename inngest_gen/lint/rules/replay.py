"""IGN1xx: what handler code does again in every replay, with another outcome each time."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from inngest_gen.lint.code import Code
from inngest_gen.lint.mutations import changed_globals, global_name
from inngest_gen.lint.rule import Hit, Program, Rule
from inngest_gen.lint.rules.held import resources
from inngest_gen.lint.world import Kind


def _effect(kind: Kind, instead: str) -> Callable[[Program], Iterator[Hit]]:
    def check(program: Program) -> Iterator[Hit]:
        held = {manager for _, manager, _, _ in resources(program)} if kind == "io" else set()
        for code in program.flows.all():
            for effect in program.effects.of(code):
                # In a step's id it is IGN301's, around a yield IGN401's.
                if effect.kind == kind and effect.node not in held and program.id_of(effect.node, code) is None:
                    yield Hit(effect.node, f"`{effect.shown}` {effect.does} in handler code, again in every replay", instead)

    return check


WALL_CLOCK = Rule(
    code="IGN101",
    name="wall-clock",
    reason="The time is another one in every replay.",
    why="""
    What is between two yields runs again in every replay, days later perhaps. `ctx.started_at` is when the run was created, the same in
    every replay; a later moment is the result of a step. To wait, give `step.sleep` a duration.
    """,
    wrong="""
    from datetime import UTC, datetime, timedelta

    import inngest_gen as ig

    app = ig.App("clock-wrong")


    @app.function("remind", trigger="task/created")
    async def remind(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep_until("due", datetime.now(UTC) + timedelta(days=1))
        if datetime.now(UTC).hour < 18:
            yield ctx.step.run("mail", print, "it is due")
    """,
    right="""
    from datetime import UTC, datetime

    import inngest_gen as ig

    app = ig.App("clock-right")


    def hour() -> int:
        return datetime.now(UTC).hour


    @app.function("remind", trigger="task/created")
    async def remind(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("due", "1d")
        if (yield ctx.step.run("hour", hour)) < 18:
            yield ctx.step.run("mail", print, f"due since {ctx.started_at}")
    """,
    check=_effect("clock", "use ctx.started_at, or a step that returns the time"),
)

RANDOMNESS = Rule(
    code="IGN102",
    name="randomness",
    reason="A replay draws another number.",
    why="""
    `ctx.random` is seeded by the run's id: every replay draws the same numbers from it. In a step's function any randomness is fine, for its
    result is recorded.
    """,
    wrong="""
    import random

    import inngest_gen as ig

    app = ig.App("random-wrong")


    @app.function("greet", trigger="user/created")
    async def greet(ctx: ig.Context) -> ig.Flow:
        if random.random() < 0.5:
            yield ctx.step.run("variant-a", print, "hello")
        else:
            yield ctx.step.run("variant-b", print, "welcome")
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("random-right")


    @app.function("greet", trigger="user/created")
    async def greet(ctx: ig.Context) -> ig.Flow:
        if ctx.random.random() < 0.5:
            yield ctx.step.run("variant-a", print, "hello")
        else:
            yield ctx.step.run("variant-b", print, "welcome")
    """,
    check=_effect("randomness", "use ctx.random, or a step"),
)

UUID = Rule(
    code="IGN103",
    name="uuid",
    reason="A replay makes another id.",
    why="""
    An id that is made between yields is another one after a replay than the one which a step has already stored or sent. `ctx.uuid()` gives
    the same n-th id in every replay.
    """,
    wrong="""
    from uuid import uuid4

    import inngest_gen as ig

    app = ig.App("uuid-wrong")


    @app.function("charge", trigger="order/placed")
    async def charge(ctx: ig.Context) -> ig.Flow:
        key = str(uuid4())
        yield ctx.step.run("reserve", print, key)
        yield ctx.step.run("charge", print, key)
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("uuid-right")


    @app.function("charge", trigger="order/placed")
    async def charge(ctx: ig.Context) -> ig.Flow:
        key = str(ctx.uuid())
        yield ctx.step.run("reserve", print, key)
        yield ctx.step.run("charge", print, key)
    """,
    check=_effect("uuid", "use ctx.uuid(), or a step"),
)

ENVIRONMENT = Rule(
    code="IGN104",
    name="environment",
    reason="A replay may happen in another process, on another machine, after a deploy.",
    why="""
    A variable, a host's name or a process id may differ there, and the handler would go another way than its record. Let a step read it,
    or put it into the event. What a module reads once at its top is not found: it changes with a deploy only, as code does.
    """,
    wrong="""
    import os

    import inngest_gen as ig

    app = ig.App("environment-wrong")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        if os.environ.get("CARRIER") == "post":
            yield ctx.step.run("post", print, "by post")
        yield ctx.step.sleep("a day", "1d")
    """,
    right="""
    import os

    import inngest_gen as ig

    app = ig.App("environment-right")


    def carrier() -> str | None:
        return os.environ.get("CARRIER")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        if (yield ctx.step.run("carrier", carrier)) == "post":
            yield ctx.step.run("post", print, "by post")
        yield ctx.step.sleep("a day", "1d")
    """,
    check=_effect("environment", "let a step return it"),
)

IO = Rule(
    code="IGN105",
    name="io",
    reason="It is done again in every replay, and nobody keeps what came of it.",
    why="""
    A request, a query, a file or an event that is sent between yields happens once more whenever the run goes on after a sleep, a wait, a
    failed attempt or a restart. In a step it is done once, retried when it fails, and its result is recorded.
    """,
    wrong="""
    import httpx

    import inngest_gen as ig

    app = ig.App("io-wrong")


    @app.function("convert", trigger="price/asked")
    async def convert(ctx: ig.Context) -> ig.Flow:
        async with httpx.AsyncClient() as client:
            answer = await client.get("http://rates.example/eur")
        yield ctx.step.run("store", print, answer.json())
    """,
    right="""
    from typing import Any

    import httpx

    import inngest_gen as ig

    app = ig.App("io-right")


    async def rate() -> Any:
        async with httpx.AsyncClient() as client:
            answer = await client.get("http://rates.example/eur")
        return answer.json()


    @app.function("convert", trigger="price/asked")
    async def convert(ctx: ig.Context) -> ig.Flow:
        answer = yield ctx.step.run("rate", rate)
        yield ctx.step.run("store", print, answer)
    """,
    check=_effect("io", "do it in a step"),
)

SLEEP = Rule(
    code="IGN106",
    name="sleep",
    reason="It keeps the run in memory, is lost when the process ends, and is slept again in every replay.",
    why="""
    `step.sleep` is recorded: the run leaves memory, and goes on at the same moment whatever happens to the process. `sleep(0)`, which only
    gives way, is fine.
    """,
    wrong="""
    import anyio

    import inngest_gen as ig

    app = ig.App("sleep-wrong")


    @app.function("poll", trigger="export/started")
    async def poll(ctx: ig.Context) -> ig.Flow:
        while not (yield ctx.step.run("ready", bool, 1)):
            await anyio.sleep(60)
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("sleep-right")


    @app.function("poll", trigger="export/started")
    async def poll(ctx: ig.Context) -> ig.Flow:
        while not (yield ctx.step.run("ready", bool, 1)):
            yield ctx.step.sleep("wait", "1m")
    """,
    check=_effect("sleep", "yield ctx.step.sleep(id, duration)"),
)

LOG = Rule(
    code="IGN107",
    name="log",
    reason="The line is written again in every replay.",
    why="""
    `ctx.logger` is silent while the handler replays what it has passed before, so that each line is written once, and tells the run's id. In
    a step's function any logger is fine.
    """,
    wrong="""
    import logging

    import inngest_gen as ig

    log = logging.getLogger(__name__)
    app = ig.App("log-wrong")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        log.info("shipping %s", ctx.data["order_id"])
        yield ctx.step.sleep("cool-off", "1h")
        print("cooled off")
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("log-right")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        ctx.logger.info("shipping %s", ctx.data["order_id"])
        yield ctx.step.sleep("cool-off", "1h")
        ctx.logger.info("cooled off")
    """,
    check=_effect("log", "use ctx.logger, which is silent while replaying"),
)


def _set_order(program: Program) -> Iterator[Hit]:
    for code in program.flows.all():
        for loop in code.all(ast.For):
            if is_set(loop.iter, code) and _makes_intents(program, loop, code):
                yield Hit(loop.iter, *_SET_ORDER)
        for comprehension in code.all(ast.ListComp, ast.GeneratorExp, ast.DictComp):
            if is_set(comprehension.generators[0].iter, code) and _makes_intents(program, comprehension, code):
                yield Hit(comprehension.generators[0].iter, *_SET_ORDER)
        for call in code.all(ast.Call):
            if (
                isinstance(call.func, ast.Attribute)
                and call.func.attr == "pop"
                and not call.args
                and _pops_in_a_loop(program, call.func.value, code)
            ):
                yield Hit(call, "a set's `pop()` takes another element in every process", "take from a sorted list")


_SET_ORDER = "a set has another order in every process, so a replay makes these steps in another order", "iterate over sorted(...)"


def _pops_in_a_loop(program: Program, value: ast.expr, code: Code) -> bool:
    """Whether a set is emptied one by one while intents are made; a `pop()` of a set's only element is fine."""
    if not is_set(value, code):
        return False
    return any(isinstance(around, (ast.While, ast.For)) and _makes_intents(program, around, code) for around in code.around(value))


_KEEPS_ORDER = {"list", "tuple", "enumerate", "iter", "reversed", "zip", "map", "filter"}
_SET_METHODS = {"union", "intersection", "difference", "symmetric_difference", "copy"}


def is_set(node: ast.AST | None, code: Code, depth: int = 0) -> bool:
    """Say whether an expression surely is a set, or something in a set's order."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name), args=args):
            path = code.path(node.func)
            if path in {"builtins.set", "builtins.frozenset"}:
                return bool(args)
            return bool(args) and path == f"builtins.{name}" and name in _KEEPS_ORDER and is_set(args[-1], code, depth)
        case ast.Call(func=ast.Attribute(value=value, attr=attr)):
            return attr in _SET_METHODS and is_set(value, code, depth)
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
            return is_set(left, code, depth) or (is_set(right, code, depth) and not isinstance(node.op, ast.Sub))
        case ast.Name(id=name) if depth < 4:
            bound = code.find(name)
            if bound is None or bound[0] is not code:
                return False
            return all(
                binding.kind == "assign" and (is_set(binding.value, code, depth + 1) or _is_empty_set(binding.value, code))
                for binding in bound[1]
            )
        case _:
            return False


def _is_empty_set(node: ast.AST | None, code: Code) -> bool:
    return isinstance(node, ast.Call) and code.path(node.func) == "builtins.set"


def _makes_intents(program: Program, around: ast.AST, code: Code) -> bool:
    return any(
        kind not in {"Done", "abort"} and any(one is around for one in code.around(call)) for call, kind in program.flows.intents(code)
    )


SET_ORDER = Rule(
    code="IGN108",
    name="set-order",
    reason="A set of strings has another order in every process.",
    why="""
    A replay in another process would make the steps of the loop in another order than is recorded. `sorted(...)` gives them one. Dicts and
    lists keep theirs.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("set-wrong")


    @app.function("tag", trigger="post/written")
    async def tag(ctx: ig.Context) -> ig.Flow:
        for word in set(ctx.data["text"].split()):
            yield ctx.step.run(f"tag-{word}", print, word)
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("set-right")


    @app.function("tag", trigger="post/written")
    async def tag(ctx: ig.Context) -> ig.Flow:
        for word in sorted(set(ctx.data["text"].split())):
            yield ctx.step.run(f"tag-{word}", print, word)
    """,
    check=_set_order,
)


def _attempt(program: Program) -> Iterator[Hit]:
    for code in program.flows.all():
        for attribute in code.all(ast.Attribute):
            if code.path(attribute) == "@ctx.attempt" and _decides(program, attribute, code):
                yield Hit(
                    attribute,
                    "`ctx.attempt` of a handler is another number in the next attempt, which would not make the same steps",
                    "decide by `except ig.StepError`, or inside the step's function",
                )


def _decides(program: Program, node: ast.AST, code: Code) -> bool:
    """Whether `node` stands in a condition, or in what a loop goes through, on which intents depend."""
    inner = node
    for around in code.around(node):
        match around:
            case ast.If(test=part) | ast.While(test=part) | ast.IfExp(test=part) | ast.Match(subject=part) | ast.For(iter=part) if (
                part is inner
            ):
                return _makes_intents(program, around, code)
            case ast.stmt() | ast.Yield() | ast.Await():
                return False
            case ast.Call() if program.flows.kind(around, code) is not None:
                return False
        inner = around
    return False


ATTEMPT = Rule(
    code="IGN109",
    name="attempt",
    reason="The next attempt has another number and would make other steps than are recorded.",
    why="""
    In a handler `ctx.attempt` counts the attempts of the handler's own code. Steps that depend on it are asked for in one attempt and not in
    the next. A step that failed raises `ig.StepError`: catch that. Inside a step's function `ctx.attempt` is the step's, and may be used.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("attempt-wrong")


    @app.function("import", trigger="file/uploaded")
    async def load(ctx: ig.Context) -> ig.Flow:
        if ctx.attempt > 0:
            yield ctx.step.run("clean-up", print, "what the last attempt left")
        yield ctx.step.run("load", print, ctx.data["file"])
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("attempt-right")


    @app.function("import", trigger="file/uploaded")
    async def load(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.step.run("load", print, ctx.data["file"])
        except ig.StepError:
            yield ctx.step.run("clean-up", print, "what it left")
            raise
    """,
    check=_attempt,
)


def _changing(program: Program) -> Iterator[Hit]:
    changed = changed_globals(program.module)
    if not changed:
        return
    for code in program.flows.all():
        for node in code.all(ast.Name, ast.Attribute):
            name = global_name(node, code)
            if name in changed and isinstance(node.ctx, ast.Load) and (program.id_of(node, code) or _decides(program, node, code)):
                yield Hit(
                    node,
                    f"`{name}` changes while the process lives (line {changed[name]}), and another process that replays the run has another one",
                    "decide by the event's data or by results, or let a step return it",
                )


CHANGING = Rule(
    code="IGN110",
    name="changing-global",
    reason="What a process keeps in memory is not there, or another one, in the process that replays the run.",
    why="""
    A cache, a counter or a setting that functions of the module change decides which steps are made, or is part of an id. After a restart it
    begins anew, and the replay asks for other steps than are recorded. What is only read, such as a table of constants, is left alone.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("global-wrong")
    known: dict[str, str] = {}


    @app.function("greet", trigger="user/created")
    async def greet(ctx: ig.Context) -> ig.Flow:
        user = ctx.data["user"]
        if user not in known:
            known[user] = yield ctx.step.run("load", str, user)
        yield ctx.step.run("greet", print, known[user])
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("global-right")
    known: dict[str, str] = {}


    def load(user: str) -> str:
        if user not in known:
            known[user] = f"user {user}"
        return known[user]


    @app.function("greet", trigger="user/created")
    async def greet(ctx: ig.Context) -> ig.Flow:
        name = yield ctx.step.run("load", load, ctx.data["user"])
        yield ctx.step.run("greet", print, name)
    """,
    check=_changing,
)

RULES = (WALL_CLOCK, RANDOMNESS, UUID, ENVIRONMENT, IO, SLEEP, LOG, SET_ORDER, ATTEMPT, CHANGING)
