"""IGN4xx: what a handler holds over a yield, where it may be suspended for days and dropped."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from inngest_gen.lint.code import Code
from inngest_gen.lint.rule import Hit, Program, Rule
from inngest_gen.lint.world import table

SCOPES: Final = table(
    """
    anyio.CancelScope anyio.create_task_group anyio.move_on_after anyio.move_on_at anyio.fail_after anyio.fail_at
    anyio.from_thread.start_blocking_portal
    trio.CancelScope trio.open_nursery trio.move_on_after trio.move_on_at trio.fail_after trio.fail_at
    asyncio.timeout asyncio.timeout_at asyncio.TaskGroup async_timeout.timeout async_timeout.timeout_at aiotools.TaskGroup quattro.TaskGroup
    """
)

_RESOURCES: Final = table(
    """
    builtins.open io.open gzip.open bz2.open lzma.open zipfile.ZipFile tarfile.open tempfile.TemporaryDirectory tempfile.NamedTemporaryFile
    tempfile.TemporaryFile tempfile.SpooledTemporaryFile shelve.open mmap.mmap aiofiles.open anyio.open_file trio.open_file
    anyio.TemporaryDirectory anyio.NamedTemporaryFile
    httpx.Client httpx.AsyncClient httpx.stream aiohttp.ClientSession requests.Session requests.session urllib.request.urlopen socket.socket
    socket.create_connection anyio.connect_tcp smtplib.SMTP smtplib.SMTP_SSL ftplib.FTP
    sqlite3.connect aiosqlite.connect psycopg.connect psycopg.AsyncConnection.connect psycopg2.connect asyncpg.create_pool pymysql.connect
    psycopg_pool.ConnectionPool psycopg_pool.AsyncConnectionPool duckdb.connect
    sqlalchemy.orm.Session sqlalchemy.ext.asyncio.AsyncSession sqlmodel.Session redis.Redis redis.asyncio.Redis redis.asyncio.from_url
    django.db.transaction.atomic
    threading.Lock threading.RLock threading.Semaphore threading.BoundedSemaphore threading.Condition multiprocessing.Lock filelock.FileLock
    asyncio.Lock asyncio.Semaphore asyncio.BoundedSemaphore asyncio.Condition anyio.Lock anyio.Semaphore anyio.CapacityLimiter anyio.Condition
    trio.Lock trio.Semaphore trio.CapacityLimiter trio.Condition
    concurrent.futures.ThreadPoolExecutor concurrent.futures.ProcessPoolExecutor multiprocessing.Pool subprocess.Popen
    playwright.async_api.async_playwright playwright.sync_api.sync_playwright
    """
)
# Sync generators behind `@contextmanager`, in libraries: Python closes them when the suspended handler is dropped.
_GENERATORS: Final = {"structlog.contextvars.bound_contextvars", "importlib.resources.as_file", "importlib.resources.path"}
_PATH_OPENS: Final = {"pathlib.Path().open", "anyio.Path().open", "trio.Path().open"}
# What gives a connection, a cursor or a transaction, whatever object it is called on.
_METHODS: Final = {"acquire", "begin", "begin_nested", "connection", "cursor", "get_connection", "pipeline", "transaction"}
_FACTORIES: Final = {"sqlalchemy.orm.sessionmaker()", "sqlalchemy.ext.asyncio.async_sessionmaker()", "sqlalchemy.orm.scoped_session()"}


def entered(code: Code) -> Iterator[tuple[ast.With | ast.AsyncWith, ast.expr]]:
    """Give each context manager that a function enters, with its `with`; also what it enters on an exit stack."""
    stacks: dict[str, ast.With | ast.AsyncWith] = {}
    for statement in code.all(ast.With, ast.AsyncWith):
        for item in statement.items:
            yield statement, item.context_expr
            if isinstance(item.optional_vars, ast.Name):
                stacks[item.optional_vars.id] = statement
    for call in code.all(ast.Call) if stacks else ():
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="enter_context" | "enter_async_context"), args=[manager]) if (
                name in stacks
            ):
                yield stacks[name], manager


def made(node: ast.expr, code: Code) -> str | None:
    """Say what makes a manager: the path of the call, also where it was made before under a name."""
    path = code.path(node)
    if path is None or not path.endswith("()"):
        return None
    return path.removesuffix("()")


def is_scope(node: ast.expr, code: Code, program: Program, depth: int = 0) -> bool:
    """Say whether entering this opens a cancel scope, a task group or a timeout, also by way of a manager of this file."""
    if made(node, code) in SCOPES:
        return True
    if depth > 2 or not isinstance(node, ast.Call):
        return False
    function = _manager(node, code, program)
    if function is None:
        return False
    return any(
        is_scope(manager, function, program, depth + 1)
        and any(around is statement for one in function.all(ast.Yield) for around in function.around(one))
        for statement, manager in entered(function)
    )


def _manager(node: ast.Call, code: Code, program: Program) -> Code | None:
    """Find the function of this file that is made a context manager by `@contextmanager` or `@asynccontextmanager`."""
    function = program.module.function(node.func, code)
    if function is None or not isinstance(function.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    where = function.outer or function
    decorated = {where.path(decorator) for decorator in function.node.decorator_list}
    return function if decorated & {"contextlib.contextmanager", "contextlib.asynccontextmanager"} else None


def _scopes(program: Program) -> Iterator[Hit]:
    for code in program.flows.all():
        for statement, manager in entered(code):
            if is_scope(manager, code, program):
                over = program.flows.suspends(code, statement)
                if over is not None:
                    yield Hit(
                        manager,
                        f"this cancel scope or task group is held over the yield in line {over.lineno}, where the run may be suspended",
                        "limit a step by .timeout(...), a wait by its timeout, several steps by ctx.group.race(...)",
                    )


SCOPE_HELD = Rule(
    code="IGN402",
    name="scope-held",
    reason="The run may be suspended inside the scope, which would then end the wrong code.",
    why="""
    A cancel scope, task group, nursery or timeout belongs to a task that goes on; a handler may be dropped at any yield (PEP 789). At run
    time it is an error. Around an `await` without a yield, and in a step's function, it is fine.
    """,
    wrong="""
    import anyio

    import inngest_gen as ig

    app = ig.App("scope-wrong")


    @app.function("ask", trigger="question/asked")
    async def ask(ctx: ig.Context) -> ig.Flow:
        with anyio.move_on_after(30):
            yield ctx.step.run("ask", print, "the model")
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("scope-right")


    @app.function("ask", trigger="question/asked")
    async def ask(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("ask", print, "the model").timeout("30s")
        yield ctx.group.race(ctx.step.run("ask again", print, "it"), ctx.step.sleep("limit", "1h"))
    """,
    check=_scopes,
)


def resources(program: Program) -> Iterator[tuple[Code, ast.expr, str, ast.Yield]]:
    """Give each resource that a flow enters and holds over a yield: what enters it, what it is, and the yield."""
    for code in program.flows.all():
        for statement, manager in entered(code):
            what = _resource(manager, code, program)
            over = None if what is None else program.flows.suspends(code, statement)
            if what is not None and over is not None:
                yield code, manager, what, over


def _resources(program: Program) -> Iterator[Hit]:
    for _, manager, what, held_over in resources(program):
        yield Hit(
            manager,
            f"{what} is held over the yield in line {held_over.lineno}, where the run may be suspended and this process let go of it",
            "yield ctx.using(...), or open it in the step that needs it",
        )
    for code in program.flows.all():
        for loop in code.all(ast.For):
            over = program.flows.suspends(code, loop) if _is_guarded_generator(loop.iter, code, program) else None
            if over is not None:
                yield Hit(
                    loop.iter,
                    f"this generator is held over the yield in line {over.lineno}, and Python closes it when the run is suspended",
                    "make a list of it, in a step if it does I/O",
                )


def _resource(node: ast.expr, code: Code, program: Program) -> str | None:
    path = made(node, code)
    if path is not None:
        if path in _RESOURCES or path in _PATH_OPENS or path in _FACTORIES:
            return f"`{path.removeprefix('builtins.')}`"
        if path in _GENERATORS:
            return f"`{path}`, a generator,"
        if path in SCOPES:
            return None
    if not isinstance(node, ast.Call):
        return None
    function = _manager(node, code, program)
    if function is not None:
        if isinstance(function.node, ast.FunctionDef):
            return f"the generator behind `{function.node.name}`" if _is_guarded(function) else None
        held = (_resource(manager, function, program) for _, manager in entered(function))
        return next((what for what in held if what is not None), None)
    if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS and code.path(node.func.value) != "@ctx":
        return f"what `.{node.func.attr}()` gives"
    return None


def _is_guarded_generator(node: ast.expr, code: Code, program: Program) -> bool:
    """Whether a loop goes through a generator of this file that is guarded."""
    if not isinstance(node, ast.Call):
        return False
    generator = program.module.function(node.func, code)
    return generator is not None and generator.is_generator and _is_guarded(generator)


def _is_guarded(generator: Code) -> bool:
    """Whether closing a generator would run code of its own: it has a yield inside `try` or `with`."""
    yields = [*generator.all(ast.Yield), *generator.all(ast.YieldFrom)]
    return any(isinstance(around, (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)) for one in yields for around in generator.around(one))


RESOURCE_HELD = Rule(
    code="IGN401",
    name="resource-held",
    reason="When the run is suspended the handler is dropped, and what it holds is closed or left open by chance.",
    why="""
    A file, a connection, a transaction, a lock or a `@contextmanager` generator over a yield is held while the run sleeps for days, or
    closed by Python when the handler is dropped, and opened again by the replay. `ctx.using` closes it when this process lets go of the run
    and enters it again; what belongs together, such as a transaction, belongs into one step. Class-based managers and `@asynccontextmanager`
    around yields are left alone: suspending runs nothing of theirs.
    """,
    wrong="""
    import sqlite3

    import inngest_gen as ig

    app = ig.App("held-wrong")


    @app.function("report", trigger="month/ended")
    async def report(ctx: ig.Context) -> ig.Flow:
        with sqlite3.connect("sales.db") as db:
            yield ctx.step.run("sum", db.execute, "select 1")
            yield ctx.step.sleep("a day", "1d")
            yield ctx.step.run("store", db.execute, "select 2")
    """,
    right="""
    import sqlite3

    import inngest_gen as ig

    app = ig.App("held-right")


    def total() -> int:
        with sqlite3.connect("sales.db") as db:
            [value] = db.execute("select 1").fetchone()
        return int(value)


    @app.function("report", trigger="month/ended")
    async def report(ctx: ig.Context) -> ig.Flow:
        value = yield ctx.step.run("sum", total)
        yield ctx.step.sleep("a day", "1d")
        ledger = yield ctx.using(sqlite3.connect("ledger.db"))
        yield ctx.step.run("store", ledger.execute, f"select {value}")
    """,
    check=_resources,
)

RULES = (RESOURCE_HELD, SCOPE_HELD)
