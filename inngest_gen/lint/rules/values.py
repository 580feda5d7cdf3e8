"""IGN6xx: what a step's function changes or sees besides its result, which a replay does not repeat."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from inngest_gen.lint.code import Binding, Code, at, end
from inngest_gen.lint.module import own_parameters
from inngest_gen.lint.mutations import MUTATORS, changed_in_place, changes
from inngest_gen.lint.rule import Hit, Program, Rule

_CONTAINERS: Final = {"builtins.list()", "builtins.dict()", "builtins.set()", "collections.defaultdict()", "collections.deque()"}
_RELIED: Final = "on which line {} relies; a replay does not run it again"
_RETURN: Final = "return the new value from the step"


def read_after(name: str, place: ast.AST, code: Code) -> ast.Name | None:
    """Find where a flow next reads a name after `place`, before it gives the name another value; a loop around `place` begins anew."""
    statement = code.statement(place)
    if statement is None or _rebinds(statement, name):
        return None
    uses = sorted(code.names(name), key=lambda node: _order(node, code))
    after = [node for node in uses if at(node) >= end(statement)]
    if after:
        return after[0] if isinstance(after[0].ctx, ast.Load) else None
    for around in code.around(statement):
        if isinstance(around, (ast.For, ast.AsyncFor, ast.While)):
            inside = [node for node in uses if code.is_in(node, around) and at(node) < at(statement)]
            if inside and isinstance(inside[0].ctx, ast.Load):
                return inside[0]
    return None


def _order(node: ast.Name, code: Code) -> tuple[int, bool, int]:
    """Order uses as they happen: in one statement, reads come before the assignment."""
    statement = code.statement(node)
    return getattr(statement, "lineno", 0), not isinstance(node.ctx, ast.Load), node.col_offset


def _rebinds(statement: ast.stmt, name: str) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target] if isinstance(statement, ast.AnnAssign) else []
    return any(isinstance(node, ast.Name) and node.id == name for target in targets for node in ast.walk(target))


def _argument_changed(program: Program) -> Iterator[Hit]:
    for body, uses in program.flows.bodies.items():
        changed = changed_in_place(body)
        for code, call in uses:
            if code not in program.flows.flows:
                continue
            arguments = [*zip(own_parameters(body), call.args[2:], strict=False)]
            by_name = {parameter.arg: parameter for parameter in own_parameters(body)}
            arguments += [(by_name[keyword.arg], keyword.value) for keyword in call.keywords if keyword.arg in by_name]
            for parameter, argument in arguments:
                if parameter.arg not in changed or len(body.bindings[parameter.arg]) != 1 or not isinstance(argument, ast.Name):
                    continue
                if _is_data(argument.id, code, program) and (reader := read_after(argument.id, call, code)) is not None:
                    line = at(changed[parameter.arg])[0]
                    yield Hit(
                        argument, f"the step changes `{argument.id}` in place in line {line}, {_RELIED.format(reader.lineno)}", _RETURN
                    )


ARGUMENT_CHANGED = Rule(
    code="IGN601",
    name="argument-changed",
    reason="A replay gives the step's result, and does not repeat what its function did to its arguments.",
    why="""
    A result of an earlier step, or any other local, that is handed to a step and changed in there is changed only while the run is live.
    After a replay it is as it was. Let the step return the new value. Changing a result in the handler itself is fine: a replay does it again.
    """,
    wrong="""
    from typing import Any

    import inngest_gen as ig

    app = ig.App("argument-wrong")


    def add_taxes(order: dict[str, Any]) -> None:
        order["taxes"] = order["total"] * 0.19


    @app.function("bill", trigger="order/placed")
    async def bill(ctx: ig.Context) -> ig.Flow:
        order = yield ctx.step.run("load", dict, total=10)
        yield ctx.step.run("taxes", add_taxes, order)
        yield ctx.step.sleep("cool-off", "1h")
        yield ctx.step.run("mail", print, order["taxes"])
    """,
    right="""
    from typing import Any

    import inngest_gen as ig

    app = ig.App("argument-right")


    def with_taxes(order: dict[str, Any]) -> dict[str, Any]:
        return {**order, "taxes": order["total"] * 0.19}


    @app.function("bill", trigger="order/placed")
    async def bill(ctx: ig.Context) -> ig.Flow:
        order = yield ctx.step.run("load", dict, total=10)
        order["currency"] = "EUR"
        order = yield ctx.step.run("taxes", with_taxes, order)
        yield ctx.step.sleep("cool-off", "1h")
        yield ctx.step.run("mail", print, order["taxes"])
    """,
    check=_argument_changed,
)


def _local_changed(program: Program) -> Iterator[Hit]:
    flows = program.flows
    for body, uses in flows.bodies.items():
        flow = body.outer
        while flow is not None and flow not in flows.flows:
            flow = flow.outer
        if flow is None:
            continue
        written = {
            name: node for name, node in changed_in_place(body).items() if _is_of(name, body, flow) and _is_data(name, flow, program)
        }
        for declared in body.all(ast.Nonlocal):
            written.update({name: declared for name in declared.names if _assigns(name, body) and name in flow.bindings})
        for name, node in written.items():
            for code, call in uses:
                if code is flow and (reader := read_after(name, call, flow) or _read_in_later_step(name, call, flow, program)) is not None:
                    yield _lost(node, name, reader)
                    break
    for code in flows.all():
        for call, kind in flows.intents(code):
            match call.args[1:2]:
                case [ast.Attribute(value=ast.Name(id=name), attr=attr)] if kind == "run" and attr in MUTATORS:
                    if _is_data(name, code, program):
                        reader = read_after(name, call, code) or _read_in_later_step(name, call, code, program)
                        if reader is not None:
                            yield _lost(call.args[1], name, reader)
    yield from _event_changed(program)


def _read_in_later_step(name: str, place: ast.AST, flow: Code, program: Program) -> ast.Name | None:
    """Find where the function of a later step reads a flow's name: it closes over what a replay has not filled.

    One that fills it itself, or asks first what is in it (`get`, `in`), bears that.
    """
    statement = flow.statement(place)
    if statement is None:
        return None
    for body, uses in program.flows.bodies.items():
        if not _is_of(name, body, flow) or _assigns(name, body) or name in changed_in_place(body) or _asks_first(name, body):
            continue
        reads = body.names(name)
        for code, call in uses:
            if reads and code is flow and at(call) >= end(statement) and not _given_between(name, statement, call, flow):
                return reads[0]
    return None


def _asks_first(name: str, body: Code) -> bool:
    for node in body.names(name):
        match body.parent[node]:
            case ast.Attribute(attr="get" | "setdefault") | ast.Compare(ops=[ast.In() | ast.NotIn()]):
                return True
            case _:
                pass
    return False


def _given_between(name: str, statement: ast.stmt, call: ast.Call, flow: Code) -> bool:
    return any(not isinstance(node.ctx, ast.Load) and end(statement) <= at(node) < at(call) for node in flow.names(name))


def _event_changed(program: Program) -> Iterator[Hit]:
    """Find steps that change the data of the run's event, which a replay has anew."""
    for body, uses in program.flows.bodies.items():
        for place, thing in changes(body):
            path = body.path(thing)
            if path not in {"@ctx.data", "@ctx.event.data"}:
                continue
            for code, call in uses:
                made_in = code.statement(call) or call
                readers = [one for one in code.all(ast.Attribute) if at(one) >= end(made_in) and code.path(one) == path]
                if readers and code in program.flows.flows:
                    yield _lost(place, path.removeprefix("@"), min(readers, key=at))
                    break


def _lost(node: ast.AST, name: str, reader: ast.expr) -> Hit:
    return Hit(node, f"the step's function changes the handler's `{name}`, {_RELIED.format(reader.lineno)}", _RETURN)


def _is_of(name: str, body: Code, flow: Code) -> bool:
    found = body.find(name)
    return found is not None and found[0] is flow


def _assigns(name: str, body: Code) -> bool:
    return any(not isinstance(node.ctx, ast.Load) for node in body.names(name))


def _is_data(name: str, code: Code, program: Program) -> bool:
    """Whether a local is plainly data: a container made here, or a step's result. A client or session has methods of the same names."""
    return name in code.bindings and all(_gives_data(binding, code, program) for binding in code.bindings[name])


def _gives_data(binding: Binding, code: Code, program: Program) -> bool:
    match binding.value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call() as call:
            return code.path(call) in _CONTAINERS
        case ast.Yield(value=intent):
            return program.flows.kinds(intent, code) not in {None, "using", "defer"}
        case None | ast.Constant():
            # An annotated parameter, or `count = 0`, which only `nonlocal` changes.
            annotation = getattr(binding.node, "annotation", None)
            annotation = annotation.value if isinstance(annotation, ast.Subscript) else annotation
            return isinstance(annotation, ast.Name) and annotation.id in {"list", "dict", "set"}
        case _:
            return False


LOCAL_CHANGED = Rule(
    code="IGN602",
    name="local-changed",
    reason="A step's function changes a variable of its handler, and a replay does not run the function again.",
    why="""
    After a sleep or a restart the handler is called again with its locals new, and recorded steps give their results without running. What a
    step's function put into a list or a `nonlocal` of the handler is gone then. What a step gives is its result, and nothing else.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("local-wrong")


    @app.function("collect", trigger="pages/found")
    async def collect(ctx: ig.Context) -> ig.Flow:
        pages: list[str] = []

        def fetch(number: int) -> None:
            pages.append(f"page {number}")

        yield ctx.step.run("first", fetch, 1)
        yield ctx.step.run("second", fetch, 2)
        yield ig.Done(len(pages))
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("local-right")


    @app.function("collect", trigger="pages/found")
    async def collect(ctx: ig.Context) -> ig.Flow:
        pages: list[str] = []

        def fetch(number: int) -> str:
            return f"page {number}"

        pages.append((yield ctx.step.run("first", fetch, 1)))
        pages.append((yield ctx.step.run("second", fetch, 2)))
        yield ig.Done(len(pages))
    """,
    check=_local_changed,
)


def _late(program: Program) -> Iterator[Hit]:
    flows = program.flows
    for code in flows.all():
        for call, kind in flows.intents(code):
            if kind != "run":
                continue
            making = call
            while isinstance(making.func, ast.Attribute) and isinstance(making.func.value, ast.Call):
                making = making.func.value
            body = flows.module.function(making.args[1], code) if len(making.args) > 1 else None
            if body is None or body.outer is not code:
                continue
            names = _collected_over(call, code) & _free(body)
            if names:
                name = min(names)
                yield Hit(
                    making.args[1],
                    f"the step's function reads the loop's `{name}` when it runs, which is after the loop, so all of them see the last one",
                    f"pass it as an argument, ctx.step.run(id, function, {name})",
                )


def _collected_over(call: ast.Call, code: Code) -> set[str]:
    """Give the variables of the loops that go on before a step made in them is yielded."""
    names: set[str] = set()
    inner: ast.AST = call
    collected = False
    for around in code.around(call):
        match around:
            case ast.Yield():
                return names
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                names |= {name.id for one in around.generators for name in ast.walk(one.target) if isinstance(name, ast.Name)}
                # What is around the comprehension happens when it is over: `yield parallel(*[...])` included.
                collected = False
            case ast.Call(func=ast.Attribute(attr="append" | "add")) if inner in around.args:
                collected = True
            case ast.For() | ast.AsyncFor() if collected:
                names |= {name.id for name in ast.walk(around.target) if isinstance(name, ast.Name)}
            case ast.stmt() if not collected and not isinstance(around, ast.Expr):
                return names
        inner = around
    return names


def _rebuilt(program: Program) -> Iterator[Hit]:
    for body, uses in program.flows.bodies.items():
        flow = body.outer
        if flow is None or flow not in program.flows.flows or all(code is not flow for code, _ in uses):
            continue
        for name in sorted(_free(body)):
            bound = flow.bindings.get(name, [])
            if len(bound) == 1 and bound[0].kind == "assign" and (why := _differs(bound[0].value, flow)) is not None:
                yield Hit(
                    body.names(name)[0],
                    f"the step's function closes over `{name}`, made in line {at(bound[0].node)[0]} from {why}: a replay makes it anew",
                    "make it inside the step's function, or let a step of its own give it",
                )


def _differs(value: ast.expr | None, flow: Code) -> str | None:
    """Say what in a value is another one in every replay and is named by no other rule."""
    if value is None:
        return None
    for node in ast.walk(value):
        if isinstance(node, (ast.Yield, ast.Await, ast.Lambda)):
            return None
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and flow.path(node.func) in {"builtins.id", "builtins.hash"}:
            return f"`{ast.unparse(node)}`, which is another number in every process"
        if isinstance(node, ast.Attribute) and flow.path(node) == "@ctx.attempt":
            return "`ctx.attempt`, which is another number in the next attempt"
    return None


REBUILT_LOCAL = Rule(
    code="IGN604",
    name="rebuilt-local",
    reason="The step's function closes over a variable that is another one in every replay.",
    why="""
    A replay runs the handler's code again, and a step that is tried again later sees what that made of the variable: another address or hash
    in another process, another attempt of the handler. `ctx.attempt` read inside the step's function is the step's own. What is made from
    the time, from randomness or from the environment is found where it is read (IGN101 to IGN104), what a step's function changes by IGN601
    and IGN602.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("rebuilt-wrong")


    @app.function("assign", trigger="user/created")
    async def assign(ctx: ig.Context) -> ig.Flow:
        shard = hash(ctx.data["user"]) % 8
        yield ctx.step.run("store", lambda: print("into shard", shard))
    """,
    right="""
    import zlib

    import inngest_gen as ig

    app = ig.App("rebuilt-right")


    @app.function("assign", trigger="user/created")
    async def assign(ctx: ig.Context) -> ig.Flow:
        shard = zlib.crc32(ctx.data["user"].encode()) % 8
        yield ctx.step.run("store", lambda: print("into shard", shard))
    """,
    check=_rebuilt,
)


def _free(body: Code) -> set[str]:
    """Give the names that a function reads and does not bind itself."""
    return {name.id for name in body.all(ast.Name) if isinstance(name.ctx, ast.Load) and name.id not in body.bindings}


LATE_BINDING = Rule(
    code="IGN603",
    name="late-binding",
    reason="The function runs when the loop is over, and sees the loop's last value.",
    why="""
    Steps that are collected in a loop run at their yield, after the loop. A lambda or inner function sees the variable as it is then. Give it
    to the step as an argument. Steps that are yielded in the loop itself are fine.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("late-wrong")


    @app.function("load", trigger="pages/found")
    async def load(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(*[ctx.step.run(f"page-{page}", lambda: print(page)) for page in range(3)])
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("late-right")


    @app.function("load", trigger="pages/found")
    async def load(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(*[ctx.step.run(f"page-{page}", print, page) for page in range(3)])
        for page in range(3):
            yield ctx.step.run(f"check-{page}", lambda: print(page))
    """,
    check=_late,
)

RULES = (ARGUMENT_CHANGED, LOCAL_CHANGED, LATE_BINDING, REBUILT_LOCAL)
