"""IGN7xx: what blocks the loop in an async step function."""

import pytest

from tests.lint.text import HEAD, codes, handler, shown

CALLS = [
    ("import time", "time.sleep(1)"),
    ("from time import sleep", "sleep(1)"),
    ("import requests", "requests.get('a')"),
    ("import httpx", "httpx.get('a')"),
    ("import subprocess", "subprocess.run(['a'])"),
    ("from urllib.request import urlopen", "urlopen('a')"),
    ("from openai import OpenAI\nclient = OpenAI()", "client.responses.create(model='m')"),
    ("import requests\nsession = requests.Session()", "session.get('a')"),
]


@pytest.mark.parametrize(("imports", "call"), CALLS)
class TestBlocking:
    def test_in_an_async_step_is_found(self, imports: str, call: str) -> None:
        assert shown(handler("yield ctx.step.run('a', work)", f"{imports}\nasync def work():\n    return {call}"), "IGN701") == [call]

    def test_in_an_inner_async_step_is_found_once_for_all_its_uses(self, imports: str, call: str) -> None:
        body = f"async def work():\n    return {call}\nyield ctx.step.run('a', work)\nyield ctx.step.run('b', work)"
        assert codes(handler(body, imports)) == ["IGN701"]

    def test_in_a_plain_handler_is_found(self, imports: str, call: str) -> None:
        assert codes(f"{HEAD}{imports}\n@app.function('f')\nasync def f(ctx: ig.Context) -> None:\n    {call}\n") == ["IGN701"]

    def test_in_a_sync_step_is_left_alone(self, imports: str, call: str) -> None:
        assert codes(handler("yield ctx.step.run('a', work)", f"{imports}\ndef work():\n    return {call}")) == []

    def test_in_a_function_that_is_no_step_is_left_alone(self, imports: str, call: str) -> None:
        assert codes(handler("yield ctx.step.run('a', str)", f"{imports}\nasync def work():\n    return {call}")) == []


@pytest.mark.parametrize(
    "body",
    [
        "await anyio.sleep(1)",
        "async with httpx.AsyncClient() as client:\n        await client.get('a')",
        "await anyio.to_thread.run_sync(time.sleep, 1)",
        "await anyio.to_thread.run_sync(lambda: time.sleep(1))",
        "with open('a') as file:\n        file.read()",
        "print(time.time())",
    ],
)
def test_what_does_not_wait_for_others_is_left_alone(body: str) -> None:
    before = f"import anyio, httpx, time\nasync def work():\n    {body}\n"
    assert codes(handler("yield ctx.step.run('a', work)", before)) == []
