"""IGN1xx: what is read from the world between yields is found; what a step, `ctx` or an import does is left alone."""

import pytest

from tests.lint.text import HEAD, codes, found, handler, shown


@pytest.mark.parametrize(
    ("code", "imports", "expression"),
    [
        ("IGN101", "import time", "time.time()"),
        ("IGN101", "import time as clock", "clock.monotonic_ns()"),
        ("IGN101", "from time import perf_counter", "perf_counter()"),
        ("IGN101", "from time import perf_counter as now", "now()"),
        ("IGN101", "import datetime", "datetime.datetime.now()"),
        ("IGN101", "import datetime as dt", "dt.datetime.now(dt.UTC)"),
        ("IGN101", "from datetime import datetime, UTC", "datetime.now(UTC)"),
        ("IGN101", "from datetime import date", "date.today()"),
        ("IGN101", "import time", "time.localtime()"),
        ("IGN101", "import anyio", "anyio.current_time()"),
        ("IGN101", "from django.utils import timezone", "timezone.now()"),
        ("IGN101", "import asyncio", "asyncio.get_running_loop().time()"),
        ("IGN101", "try:\n    import time\nexcept ImportError:\n    import time", "time.time()"),
        ("IGN102", "import random", "random.random()"),
        ("IGN102", "from random import choice", "choice([1, 2])"),
        ("IGN102", "import random", "random.Random()"),
        ("IGN102", "import secrets", "secrets.token_hex()"),
        ("IGN102", "import os", "os.urandom(8)"),
        ("IGN102", "import numpy as np", "np.random.rand()"),
        ("IGN102", "from numpy.random import default_rng", "default_rng()"),
        ("IGN103", "import uuid", "uuid.uuid4()"),
        ("IGN103", "from uuid import uuid4 as new", "new()"),
        ("IGN103", "from uuid import uuid1", "uuid1()"),
        ("IGN103", "from ulid import ULID", "ULID()"),
        ("IGN104", "import os", "os.environ"),
        ("IGN104", "from os import environ", "environ"),
        ("IGN104", "from os import environ as env", "env"),
        ("IGN104", "import os", "os.getenv('A')"),
        ("IGN104", "import os", "os.getpid()"),
        ("IGN104", "import socket", "socket.gethostname()"),
        ("IGN104", "import sys", "sys.argv"),
        ("IGN105", "", "open('a')"),
        ("IGN105", "import pathlib", "pathlib.Path('a').read_text()"),
        ("IGN105", "from pathlib import Path", "(Path('a') / 'b').exists()"),
        ("IGN105", "import requests", "requests.get('a')"),
        ("IGN105", "import httpx", "httpx.post('a')"),
        ("IGN105", "from urllib.request import urlopen", "urlopen('a')"),
        ("IGN105", "import subprocess", "subprocess.run(['a'])"),
        ("IGN105", "import sqlite3", "sqlite3.connect('a')"),
        ("IGN105", "import os", "os.listdir()"),
        ("IGN105", "import shutil", "shutil.copy('a', 'b')"),
        ("IGN105", "from openai import AsyncOpenAI\nclient = AsyncOpenAI()", "await client.responses.create(model='m')"),
        ("IGN105", "import boto3\ns3 = boto3.client('s3')", "s3.put_object(Key='a')"),
        ("IGN105", "", "await app.send(ig.Event('a'))"),
        ("IGN106", "import time", "time.sleep(1)"),
        ("IGN106", "import asyncio", "await asyncio.sleep(1)"),
        ("IGN106", "import anyio", "await anyio.sleep(ctx.data['s'])"),
        ("IGN106", "from trio import sleep", "await sleep(1)"),
        ("IGN107", "", "print('a')"),
        ("IGN107", "import logging", "logging.info('a')"),
        ("IGN107", "import logging\nlog = logging.getLogger(__name__)", "log.warning('a')"),
        ("IGN107", "from structlog import get_logger\nlog = get_logger()", "log.info('a')"),
        ("IGN107", "from loguru import logger", "logger.info('a')"),
    ],
)
class TestReads:
    def test_are_found_between_yields(self, code: str, imports: str, expression: str) -> None:
        source = handler(f"value = {expression}\nyield ctx.step.run('a', str, value)", imports)
        assert shown(source, code) == [expression.removeprefix("await ")]
        assert set(codes(source)) == {code}

    def test_are_found_in_a_sub_flow(self, code: str, imports: str, expression: str) -> None:
        source = f"{HEAD}{imports}\n\nasync def flow(ctx: ig.Context) -> ig.Flow:\n    yield ctx.step.run('a', str, {expression})\n"
        assert codes(source) == [code]

    def test_are_left_alone_in_a_lambda_that_is_a_step(self, code: str, imports: str, expression: str) -> None:
        assert codes(handler(f"yield ctx.step.run('a', lambda: {expression.removeprefix('await ')})", imports)) == []

    def test_are_left_alone_in_an_inner_function_that_is_a_step(self, code: str, imports: str, expression: str) -> None:
        body = f"def read():\n    return {expression.removeprefix('await ')}\nyield ctx.step.run('a', read)"
        assert codes(handler(body, imports)) == []

    def test_are_left_alone_in_a_function_that_is_a_step(self, code: str, imports: str, expression: str) -> None:
        before = f"{imports}\n\nasync def read():\n    return {expression}\n"
        told = codes(handler("yield ctx.step.run('a', read)", before))
        assert set(told) <= {"IGN701"}  # which looks at what blocks the loop

    def test_are_left_alone_outside_of_handlers(self, code: str, imports: str, expression: str) -> None:
        assert codes(f"{HEAD}{imports}\n\nasync def other():\n    return {expression}\n") == []

    def test_are_left_alone_in_a_handler_without_steps(self, code: str, imports: str, expression: str) -> None:
        source = f"{HEAD}{imports}\n\n@app.function('f')\nasync def f(ctx: ig.Context) -> object:\n    return {expression}\n"
        assert set(codes(source)) <= {"IGN701"}


@pytest.mark.parametrize(
    "body",
    [
        "yield ctx.step.run('a', str, ctx.started_at)",
        "yield ctx.step.run('a', str, ctx.random.random())",
        "yield ctx.step.run('a', str, ctx.uuid())",
        "random = ctx.random\nyield ctx.step.run('a', str, random.random())",
        "yield ctx.step.run('a', random.random)",
        "yield ctx.step.run('a', time.time)",
        "yield ctx.step.run('a', str, time.strftime)",
        "yield ctx.step.run('a', str, datetime.datetime.fromtimestamp(ctx.data['at']))",
        "yield ctx.step.run('a', str, datetime.datetime(2030, 1, 1), datetime.timedelta(days=1))",
        "yield ctx.step.run('a', str, time.gmtime(ctx.data['at']))",
        "yield ctx.step.run('a', str, random.Random(ctx.run_id).random())",
        "yield ctx.step.run('a', str, uuid.uuid5(uuid.NAMESPACE_DNS, ctx.run_id), uuid.UUID(ctx.data['id']))",
        "yield ctx.step.run('a', str, os.path.join('a', 'b'), os.sep)",
        "yield ctx.step.run('a', str, pathlib.Path(ctx.data['file']).suffix, pathlib.Path('a') / 'b')",
        "await asyncio.sleep(0)\nyield ctx.step.run('a', str)",
        "ctx.logger.info('a')\nyield ctx.step.run('a', str)",
        "client = yield ctx.using(httpx.AsyncClient())\nyield ctx.step.run('a', str, client)",
        "file = yield ctx.using(open('a'))\nyield ctx.step.run('a', str, file)",
        "client = httpx.AsyncClient()\nyield ctx.step.run('a', client.get, 'http://a')",
        "yield ctx.step.run('a', HTTP.get, 'http://a')",
        "yield ctx.step.run('a', str, time.strftime('%Y', time.gmtime(ctx.data['at'])))",
        "yield ctx.step.run('a', str, bson.ObjectId(ctx.data['id']))",
        "try:\n    yield ctx.step.run('a', str)\nexcept ig.StepError as error:\n    raise subprocess.CalledProcessError(1, 'a') from error",
        "for time in ctx.data['times']:\n    yield ctx.step.run('a', str, time.time())",
        "with_time = {time.time() for time in ctx.data['times']}\nyield ctx.step.run('a', str, with_time)",
        "open = ctx.data['open']\nyield ctx.step.run('a', str, open('a'))",
        "yield ctx.step.run('a', str, self.time.time())",
        "yield ctx.step.send_event('a', ig.Event('a'))",
        "yield ctx.step.sleep('a', 1)",
    ],
)
def test_what_is_the_same_in_every_replay_is_left_alone(body: str) -> None:
    imports = "import asyncio, bson, subprocess, datetime, httpx, os, pathlib, random, time, uuid\n\nHTTP = httpx.Client()\nself = object()"
    assert codes(handler(body, imports)) == []


class TestFunctionsThatAreCalled:
    BEFORE = """
        import time

        def due():
            return time.time() + 5

        def later():
            return due() + 5

        async def awaited():
            return later()

        def again(n):
            return again(n - 1) if n else time.time()

        def even(n):
            return odd(n - 1) if n else 0

        def odd(n):
            return even(n - 1) if n else time.time()

        @cached
        def decorated():
            return time.time()

        def numbers():
            yield time.time()
    """

    @pytest.mark.parametrize("call", ["due()", "later()", "await awaited()", "again(3)", "even(2)", "odd(2)"])
    def test_count_with_what_they_do(self, call: str) -> None:
        [finding] = found(handler(f"yield ctx.step.run('a', str, {call})", self.BEFORE), "IGN101")
        assert finding.message.startswith(
            f"`{call.removeprefix('await ').partition('(')[0]}()` reads the wall clock (`time.time()` in line "
        )

    @pytest.mark.parametrize(
        "body",
        [
            "yield ctx.step.run('a', due)",
            "yield ctx.step.run('a', lambda: due())",
            "yield ctx.step.run('a', decorated())",
            "yield ctx.step.run('a', str, numbers())",
            "def due():\n    return 5\nyield ctx.step.run('a', str, due())",
            "due = ctx.data['due']\nyield ctx.step.run('a', str, due())",
            "yield ctx.step.run('a', str, ctx.due())",
        ],
    )
    def test_are_left_alone_where_they_do_not_run_here(self, body: str) -> None:
        assert found(handler(body, self.BEFORE), "IGN101") == []

    def test_a_log_line_in_one_is_its_own_affair(self) -> None:
        assert codes(handler("told()\nyield ctx.step.run('a', str)", "def told():\n    print('a')")) == []

    def test_a_function_that_makes_a_step_is_no_reader(self) -> None:
        before = "import time\ndef load(ctx):\n    return ctx.step.run('a', time.time)"
        assert codes(handler("yield load(ctx)", before)) == []


class TestSetOrder:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("for tag in set(ctx.data['tags']):\n    yield ctx.step.run(tag, str)", "set(ctx.data['tags'])"),
            ("for tag in {'a', 'b'}:\n    yield ctx.step.run(tag, str)", "{'a', 'b'}"),
            ("tags = {one.strip() for one in ctx.data['tags']}\nfor tag in tags:\n    yield ctx.step.run(tag, str)", "tags"),
            (
                "for n, tag in enumerate(set(ctx.data['tags'])):\n    yield ctx.step.run(f'{n}', str, tag)",
                "enumerate(set(ctx.data['tags']))",
            ),
            ("tags = list(set(ctx.data['tags']))\nfor tag in tags:\n    yield ctx.step.run(tag, str)", "tags"),
            ("yield ctx.group.parallel(*[ctx.step.run(tag, str) for tag in frozenset(ctx.data['tags'])])", "frozenset(ctx.data['tags'])"),
            (
                "for tag in set(ctx.data['a']) - set(ctx.data['b']):\n    yield ctx.step.run(tag, str)",
                "set(ctx.data['a']) - set(ctx.data['b'])",
            ),
            ("tags = set(ctx.data['a'])\nwhile tags:\n    yield ctx.step.run(tags.pop(), str)", "tags.pop()"),
        ],
    )
    def test_steps_in_the_order_of_a_set_are_found(self, body: str, marked: str) -> None:
        assert shown(handler(body), "IGN108") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "for tag in sorted(set(ctx.data['tags'])):\n    yield ctx.step.run(tag, str)",
            "for tag in dict.fromkeys(ctx.data['tags']):\n    yield ctx.step.run(tag, str)",
            "for tag in ctx.data['tags']:\n    yield ctx.step.run(tag, str)",
            "count = 0\nfor tag in set(ctx.data['tags']):\n    count += len(tag)\nyield ctx.step.run('a', str, count)",
            "tags = ctx.data['tags']\nif not tags:\n    tags = set()\nfor tag in tags:\n    yield ctx.step.run(tag, str)",
            "yield ctx.step.run('a', lambda: [print(tag) for tag in set(ctx.data['tags'])])",
            "seen = set()\nfor tag in ctx.data['tags']:\n    if tag not in seen:\n        seen.add(tag)\n        yield ctx.step.run(tag, str)",
            "currency = {line['currency'] for line in ctx.data['lines']}.pop()\nyield ctx.step.run('a', str, currency)",
            "stack = list(ctx.data['tags'])\nwhile stack:\n    yield ctx.step.run(stack.pop(), str)",
        ],
    )
    def test_other_orders_are_left_alone(self, body: str) -> None:
        assert codes(handler(body)) == []


class TestAttempt:
    @pytest.mark.parametrize(
        "body",
        [
            "if ctx.attempt:\n    yield ctx.step.run('a', str)",
            "if ctx.attempt == 0 and ctx.data:\n    yield ctx.step.run('a', str)",
            "if ctx.data:\n    pass\nelif ctx.attempt > 1:\n    yield ctx.step.run('a', str)",
            "yield ctx.step.run('a', str) if ctx.attempt else ctx.step.run('b', str)",
            "match ctx.attempt:\n    case 0:\n        yield ctx.step.run('a', str)",
        ],
    )
    def test_steps_that_depend_on_the_handlers_attempt_are_found(self, body: str) -> None:
        assert shown(handler(body), "IGN109") == ["ctx.attempt"]

    @pytest.mark.parametrize(
        "body",
        [
            "if ctx.attempt == ctx.max_attempts - 1:\n    raise ig.NonRetriableError('enough')\nyield ctx.step.run('a', str)",
            "yield ctx.step.run('a', lambda: ctx.attempt)",
            "yield ctx.step.run('a', str, ctx.attempt)",
            "ctx.logger.info('attempt %s', ctx.attempt)\nyield ctx.step.run('a', str)",
            "if ctx.data['attempt']:\n    yield ctx.step.run('a', str)",
            "if (yield ctx.step.run('a', str, ctx.attempt)):\n    yield ctx.step.run('b', str)",
        ],
    )
    def test_what_makes_no_step_of_it_is_left_alone(self, body: str) -> None:
        assert codes(handler(body)) == []

    def test_a_steps_own_attempt_is_left_alone(self) -> None:
        before = "async def charge(ctx: ig.Context) -> str:\n    if ctx.attempt == 0:\n        raise ConnectionError\n    return 'a'"
        assert codes(handler("yield ctx.step.run('a', charge, ctx)", before)) == []


class TestChangingGlobal:
    BEFORE = """
        CACHE = {}
        COUNT = 0
        TABLE = {"a": 1}
        LIMITS = [1, 2]

        class Settings:
            period = "1m"
            fixed = 3

        def remember(key):
            CACHE[key] = 1
            LIMITS.append(3)

        def count():
            global COUNT
            COUNT += 1

        def change():
            Settings.period = "5m"

        def reads():
            return TABLE["a"]

        REGISTRY = {}
        PLUGINS = []

        def register(name):
            def keep(function):
                REGISTRY[name] = function
                return function
            return keep

        def plugin(function):
            PLUGINS.append(function)
            return function

        LOADED = []

        def load():
            LOADED.append(1)

        load()

        def memo(key, value):
            MEMO[key] = value
            return value

        MEMO = {}
        NUMBERS = iter(range(99))
    """

    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("if ctx.data['a'] not in CACHE:\n    yield ctx.step.run('a', str)", "CACHE"),
            ("while COUNT < 3:\n    yield ctx.step.run('a', str)", "COUNT"),
            ("if next(NUMBERS) % 2:\n    yield ctx.step.run('a', str)", "NUMBERS"),
            ("yield ctx.step.run(f'a-{next(NUMBERS)}', str)", "NUMBERS"),
            ("if ctx.data['a'] in MEMO:\n    yield ctx.step.run('a', str)", "MEMO"),
            ("if CACHE.get('a'):\n    yield ctx.step.run('a', str)", "CACHE"),
            ("for limit in LIMITS:\n    yield ctx.step.run('a', str, limit)", "LIMITS"),
            ("yield ctx.step.run(f'a-{COUNT}', str)", "COUNT"),
            ("yield ctx.step.run(f'a-{Settings.period}', str)", "Settings.period"),
            ("if Settings.period == '1m':\n    yield ctx.step.sleep('a', 1)", "Settings.period"),
            ("yield ctx.step.run('a', str) if COUNT else ctx.step.run('b', str)", "COUNT"),
        ],
    )
    def test_steps_that_depend_on_what_functions_change_are_found(self, body: str, marked: str) -> None:
        assert shown(handler(body, self.BEFORE), "IGN110") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "if ctx.data['a'] in TABLE:\n    yield ctx.step.run('a', str)",
            "yield ctx.step.run(f'a-{Settings.fixed}', str)",
            "yield ctx.step.run('a', str, CACHE, COUNT)",
            "yield ctx.step.run('a', lambda: CACHE.get('a'))",
            "if ctx.data['a'] in REGISTRY:\n    yield ctx.step.run('a', REGISTRY[ctx.data['a']])",
            "for plugin in PLUGINS:\n    yield ctx.step.run('a', plugin)",
            "if LOADED:\n    yield ctx.step.run('a', str)",
            "if CACHE:\n    ctx.logger.info('cached')\nyield ctx.step.run('a', str)",
            "CACHE = {}\nif CACHE:\n    yield ctx.step.run('a', str)",
            "seen = []\nfor one in ctx.data['all']:\n    if one not in seen:\n        seen.append(one)\n        yield ctx.step.run('a', str)",
            "if (yield ctx.step.run('a', str, COUNT)):\n    yield ctx.step.run('b', str)",
        ],
    )
    def test_constants_and_what_decides_nothing_are_left_alone(self, body: str) -> None:
        assert "IGN110" not in codes(handler(body, self.BEFORE))
