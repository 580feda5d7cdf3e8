"""A port serves one client after another, each with the code as it is by then; an attached one may end it."""

import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from inngest_gen.cli.debug.dap import _Given, _opener
from inngest_gen.debugger.dap.framing import Decoder
from inngest_gen.debugger.dap.listening import listen
from inngest_gen.recording.format import dumps
from tests.debugger.dap import shop
from tests.debugger.dap.client import PATIENCE_S, Client, recording


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """The module that is loaded here is loaded for each loop."""
    yield
    sys.modules.pop("port_shop", None)


async def test_one_client_after_another(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = pathlib.Path(shop.FILE).read_text()
    (tmp_path / "port_shop.py").write_text(code)
    (tmp_path / "run.json").write_bytes(dumps(recording()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    opener = _opener(_Given("run.json", "port_shop:app", None, None, pathlib.Path("no.db"), "asyncio"))
    ports: list[int] = []

    def ready(port: int) -> None:
        ports.append(port)
        listens.set()

    listens, over = anyio.Event(), anyio.Event()

    async def serve() -> None:
        await listen(0, opener, loop="asyncio", tell=lambda _: "", ready=ready)
        over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        await listens.wait()
        async with await anyio.connect_tcp("127.0.0.1", ports[0]) as stream:
            client = Client(stream)
            await client.launched()
            await client.begin()
            assert client.output() == ""
            async with await anyio.connect_tcp("127.0.0.1", ports[0]) as other:  # a second client is told so
                [told] = Decoder().feed(await other.receive())
                assert told["body"]["output"] == "another client is debugging here: one at a time\n"
                with pytest.raises(anyio.EndOfStream):
                    await other.receive()
            await client.ask("terminate")
            await client.ask("disconnect")
        (tmp_path / "port_shop.py").write_text(code.replace('"pricing", item', '"the price of", item'))
        with anyio.fail_after(PATIENCE_S):
            client = await _attached(ports[0])
        async with client.stream:
            await client.go("continue")
            assert client.output("stdout").startswith("the price of tea\n")
            assert "note: the handler's code is not that which made the recording" in client.output("important")
            await client.ask("terminate")
            await client.ask("disconnect")
        with anyio.fail_after(PATIENCE_S):
            await over.wait()


async def _attached(port: int) -> Client:
    """A client that is attached, once the one before has been let go."""
    while True:
        client = Client(await anyio.connect_tcp("127.0.0.1", port))
        seq: Any = await client.send("initialize", adapterID="x", supportsInvalidatedEvent=True)
        message = await client.message()
        if message["type"] == "response":
            assert message["request_seq"] == seq
            await client.ask("attach")
            await client.until("initialized")
            await client.begin()
            return client
        await client.stream.aclose()
        await anyio.lowlevel.checkpoint()
