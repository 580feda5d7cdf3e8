"""`inngest-gen serve`, and other ASGI servers: real processes on real sockets, called by a server that plays the real one."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import anyio.to_thread
import httpx
import pytest

from inngest_gen.testing.server.server import Server
from tests.cli.program import environment, run, until

APP = """
import inngest_gen as ig

app = ig.App("shop")

def pack(order):
    return f"{order} packed"

async def count(order):
    return len(order)

@app.deferred("mail")
async def mail(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("smtp", str, ctx.data["to"])
    yield ig.Done("sent")

@app.function("order", trigger="order/placed")
async def order(ctx: ig.Context) -> ig.Flow:
    yield ctx.defer("mail", mail, {"to": "ada"})
    packed = yield ctx.step.run("pack", pack, ctx.data["id"])
    both = yield ctx.group.parallel(ctx.step.run("a", pack, "a"), ctx.step.run("b", count, "bb"))
    yield ctx.step.sleep("nap", "1h")
    yield ig.Done([packed, *both])

@app.function("slow", trigger="slow")
async def slow(ctx: ig.Context) -> ig.Flow:
    import anyio
    print("begun", flush=True)
    yield ctx.step.run("wait", anyio.sleep, 0.5)
    yield ig.Done("done")

served = ig.serve(app)
"""
KEY, EVENT_KEY = "signkey-test-0123456789abcdef", "events"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def process(arguments: list[str], cwd: pathlib.Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    variables = {"PYTHONPATH": str(pathlib.Path(__file__).parents[2]), **variables}
    one = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(**variables),
        start_new_session=True,  # hypercorn has workers: they end with it
    )
    try:
        yield one
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.pid, signal.SIGKILL)
        assert one.stdout is not None
        one.stdout.close()
        one.wait(30)


def until_up(url: str) -> None:
    def up() -> bool:
        try:
            httpx.get(url, timeout=5)
        except httpx.TransportError:
            return False
        return True

    until(up, url)


def command(kind: str, loop: str, port: int) -> list[str]:
    match kind:
        case "cli":
            return ["inngest_gen.cli.main", "serve", "shop.py:app", "--port", str(port), "--loop", loop, "--no-register"]
        case "uvicorn":
            return ["uvicorn", "shop:served", "--port", str(port), "--log-level", "warning"]
        case _:
            return ["hypercorn", "shop:served", "--bind", f"127.0.0.1:{port}", "-k", loop]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("anyio_backend", "kind"), [("asyncio", "cli"), ("trio", "cli"), ("asyncio", "uvicorn"), ("trio", "hypercorn")])
async def test_a_server_calls_the_app_over_sockets(anyio_backend: str, kind: str, signed: bool, tmp_path: pathlib.Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    port = free_port()
    url = f"http://127.0.0.1:{port}/api/inngest"
    async with Server(signing_key=KEY if signed else None, event_key=EVENT_KEY if signed else None) as server:
        with process(command(kind, anyio_backend, port), tmp_path, **server.env()):
            await anyio.to_thread.run_sync(until_up, url)
            await server.register(url)
            runs = await server.run({"name": "order/placed", "data": {"id": "o1"}})
    assert {run.function: (run.status, run.output) for run in runs} == {
        "shop-order": ("completed", ["o1 packed", "a packed", 2]),
        "shop-mail": ("completed", "sent"),
    }
    assert not [call.signature_problem for one in runs for call in one.calls if call.signature_problem]


async def test_it_registers_itself_and_lets_calls_end_before_it_stops(anyio_backend: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    async with Server() as server:
        arguments = ["inngest_gen.cli.main", "serve", "shop.py:app", "--port", "0", "--loop", anyio_backend]
        with process(arguments, tmp_path, **server.env()) as one:
            with anyio.fail_after(30):
                while not server.functions:
                    await anyio.sleep(0.02)
            [ids] = [await server.send({"name": "slow", "data": {}})]
            assert one.stdout is not None
            lines = iter(one.stdout.readline, "")
            told = ""
            while not ("begun" in told and f"registered at {server.url}" in told):
                told += await anyio.to_thread.run_sync(lambda: next(lines))
            one.send_signal(signal.SIGTERM)
            await server.finish()
            assert [run.output for run in server.runs] == ["done"]
            assert ids
            began = time.monotonic()
            assert await anyio.to_thread.run_sync(one.wait, 30) == 0
            assert time.monotonic() - began < 12


def test_an_app_without_a_key_is_not_served(tmp_path: pathlib.Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    result = run("serve", "shop.py:app", cwd=tmp_path, INNGEST_DEV="0")
    assert result.returncode == 2
    assert result.stderr.startswith("inngest-gen: app 'shop' has no signing key, so it would refuse every call: set INNGEST_SIGNING_KEY")


@pytest.mark.parametrize(
    ("arguments", "words"), [(["--path", "x"], "begins with a slash"), (["--origin", "https://"], "the origin is a URL such as")]
)
def test_wrong_options_are_refused(arguments: list[str], words: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    result = run("serve", "shop.py:app", "--port", "0", *arguments, cwd=tmp_path, INNGEST_DEV="1")
    assert (result.returncode, words in result.stderr) == (2, True), result.stderr


def test_a_server_that_is_not_there_is_told(tmp_path: pathlib.Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    arguments = ["inngest_gen.cli.main", "serve", "shop.py:app", "--port", "0"]
    with process(arguments, tmp_path, INNGEST_DEV=f"http://127.0.0.1:{free_port()}") as one:
        assert one.stdout is not None
        lines = iter(one.stdout.readline, "")
        line = next(line for line in lines if "not registered" in line)
        assert "once the server is there: curl -X PUT http://127.0.0.1:" in line
        one.send_signal(signal.SIGINT)
        assert one.wait(30) == 130
