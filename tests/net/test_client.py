"""One client a loop: connections are kept, and closed when the loop ends, without a warning."""

import subprocess
import sys
import textwrap
from pathlib import Path

import anyio
import pytest

from tests.net.server import HANG, Server, reply

RUN = "01GQ3HTEZ01M7R8Z9PR1DMHDN1"


async def test_calls_share_a_connection(server: Server) -> None:
    api = server.api()
    for _ in range(3):
        await api.actions(RUN)
    assert server.connections == 1


async def test_calls_at_once_are_made_at_once(server: Server) -> None:
    api = server.api()
    server.otherwise = HANG
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(api.actions, RUN)
        while len(server.asked) < 5:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


async def test_after_closing_the_next_call_connects_anew(server: Server) -> None:
    api = server.api()
    await api.actions(RUN)
    await api.aclose()
    await api.aclose()
    await api.actions(RUN)
    assert server.connections == 2


async def test_closing_what_was_never_opened_does_nothing(server: Server) -> None:
    await server.api().aclose()


async def test_a_call_that_is_cancelled_leaves_the_others_be(server: Server) -> None:
    api = server.api()
    server.script = [HANG]
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:

            async def cancel() -> None:
                while not server.asked:
                    await anyio.lowlevel.checkpoint()
                scope.cancel()

            tasks.start_soon(cancel)
            await api.actions(RUN)
    assert await api.actions(RUN) == b"{}"


PROGRAM = """
    import anyio
    from inngest_gen.net.api import Api
    from inngest_gen.options.settings import Settings
    from tests.net.server import serving, reply

    USE = {use!r}
    API = None

    async def main():
        global API
        async with serving() as server:
            if API is None or USE != "kept":
                API = Api(Settings(mode="dev", api_url=server.url, event_url=server.url))
            else:
                API.settings = Settings(mode="dev", api_url=server.url, event_url=server.url)
            await API.actions("r")
            if USE == "closed":
                await API.aclose()
            if USE == "cancelled":
                with anyio.CancelScope() as scope:
                    scope.cancel()
                    await API.actions("r")

    Api(Settings()).prepare()
    for _ in range(2):
        anyio.run(main, backend={loop!r})
    print("done")
"""


@pytest.mark.parametrize("use", ["left", "closed", "cancelled", "kept"])
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_when_a_loop_ends_its_connections_are_closed_without_a_word(use: str, loop: str) -> None:
    program = textwrap.dedent(PROGRAM.format(use=use, loop=loop))
    told = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert (told.stdout, told.stderr) == ("done\n", "")


async def test_a_trickle_does_not_outlast_its_time(server: Server) -> None:
    """A reply that comes byte by byte never runs into a timeout between two bytes."""
    from inngest_gen.options.settings import Limits

    server.otherwise = reply(200, {})[:-1]  # the last byte never comes
    with pytest.raises(Exception, match="no whole reply within 0.05 s"):
        await server.api(limits=Limits(reply_timeout=0.05)).actions(RUN)
