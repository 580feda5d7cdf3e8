"""The examples that are web applications, as their docstrings say: in a process of their own, on a socket, called by a server that plays the real one."""

import functools
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import httpx
import pytest

from inngest_gen.testing import Server
from tests.cli.test_serve import free_port, process, until_up

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])  # of the test's server; each application has the loop that it is for


@asynccontextmanager
async def up(arguments: Callable[[int], list[str]], **variables: str) -> AsyncIterator[tuple[Server, httpx.AsyncClient, int]]:
    """A server, an example that it knows of, a client of the example, and its port. Ctrl-C ends the example in good order."""
    port = free_port()
    async with Server() as server:
        with process(arguments(port), ROOT, **server.env(), **variables, BIND=f"127.0.0.1:{port}") as example:
            await anyio.to_thread.run_sync(functools.partial(until_up, f"http://127.0.0.1:{port}/api/inngest"))
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                assert (await client.put("/api/inngest")).json()["message"] == "Successfully registered"
                yield server, client, port
            example.send_signal(signal.SIGINT)
            told, _ = await anyio.to_thread.run_sync(functools.partial(example.communicate, timeout=30))
            assert (example.returncode, "Traceback" in told) == (0, False), told


async def test_an_order_at_the_fastapi_app_is_shipped_and_told() -> None:
    async with up(lambda port: ["uvicorn", "examples.fastapi_app:api", "--port", str(port)]) as (server, client, _):
        placed = await client.post("/orders", json={"item": "tea", "email": "ada@example.org"})
        assert placed.status_code == 202
        order = f"/orders/{placed.json()['id']}"
        assert (await client.get(order)).status_code == 404
        await server.finish()
        assert (await client.get(order)).json() == {"status": "shipped", "parcel": "parcel with tea"}
        shipped, mail = server.runs
    assert (shipped.function, shipped.output) == ("web-shop-ship-order", "parcel with tea")
    assert shipped.ended_at is not None
    assert shipped.ended_at - shipped.created_at == 3600
    assert (mail.function, mail.output) == ("web-shop-send-mail", "to ada@example.org: Your parcel with tea is on its way.")


COMMANDS = {
    "the program": lambda _: ["examples.trio_app"],
    "hypercorn's command": lambda port: ["hypercorn", "--worker-class", "trio", "examples.trio_app:web", "--bind", f"127.0.0.1:{port}"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
async def test_the_trio_app_tells_which_hosts_are_down(command: Callable[[int], list[str]]) -> None:
    async with up(command) as (server, _, port):
        here, nowhere = f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}"
        [run] = await server.run({"name": "check/asked", "data": {"hosts": [here, nowhere]}})
    assert (run.status, run.output) == ("completed", {"down": [nowhere]})
    assert run.step("probe").value == {"data": {here: True, nowhere: False}}
    assert run.step("probe-again").value == {"data": {nowhere: False}}


async def test_the_trio_apps_own_task_asks_for_checks_beside_the_functions() -> None:
    async with up(COMMANDS["the program"], HOSTS="127.0.0.1:1 127.0.0.1:2") as (server, _, _):
        with anyio.fail_after(30):
            while not server.events:
                await anyio.sleep(0.02)
        [event] = server.events
    assert (event["name"], event["data"]) == ("check/asked", {"hosts": ["127.0.0.1:1", "127.0.0.1:2"]})
