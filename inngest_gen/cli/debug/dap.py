"""`inngest-gen debug RUN MODULE:APP --dap`: debugs a run in an editor, by the Debug Adapter Protocol."""

from __future__ import annotations

import os
import pathlib
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import OK, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inngest_gen.app.app import App
    from inngest_gen.debugger.dap.adapter import Opener
    from inngest_gen.debugger.dap.arguments import Launch
    from inngest_gen.recording.recording import Recording

_HELP = """Debug a run in an editor, by the Debug Adapter Protocol.

    An editor starts `inngest-gen debug --dap --stdio` and says in its launch configuration what to debug; or it connects to a port on which this
    waits: RUN and MODULE:APP are what is debugged where the editor does not say. docs/debugging-dap.md has the configurations.

    \b
    Examples:
      inngest-gen debug --dap --stdio
      inngest-gen debug dap last shop:app --port 4711
      inngest-gen debug run.json shop.py:app --dap --loop trio
    """


@click.command("dap", help=_HELP, short_help="Debug a run in an editor (`debug RUN MODULE:APP --dap`).")
@click.argument("words", metavar="[RUN] [MODULE:APP]", nargs=-1)
@click.option("--dap", is_flag=True, expose_value=False, help="Speak the Debug Adapter Protocol. That is what this command does.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="Wait for editors on this port of 127.0.0.1; 0 takes a free one.  [0]"
)
@click.option("--stdio", is_flag=True, help="Speak on stdin and stdout, to the editor that has started this.")
@click.option(
    "--vsix",
    type=click.Path(path_type=pathlib.Path, dir_okay=False),
    default=None,
    metavar="FILE",
    help="Write an extension for VS Code that starts this command of this environment, and exit.",
)
@click.option("--run", "fetched", metavar="ID", help="Read this run from an Inngest server, in place of RUN. It must not have ended.")
@click.option("--server", metavar="URL", help="The server that --run reads from.  [default: the one in the app's settings]")
@options.db
@options.loop
def dap(
    words: tuple[str, ...],
    *,
    port: int | None,
    stdio: bool,
    vsix: pathlib.Path | None,
    fetched: str | None,
    server: str | None,
    db: pathlib.Path,
    loop: str,
) -> int:
    """Debug a run in an editor."""
    if stdio and port is not None:
        raise click.UsageError("--stdio and --port: choose one")
    if server is not None and fetched is None:
        raise click.UsageError("--server wants the run, too: --run ID")
    if words and len(words) != (2 if fetched is None else 1):
        raise click.UsageError("give a run and its code, RUN MODULE:APP or --run ID MODULE:APP; or neither, if the editor says them")
    if vsix is not None:
        return _write(vsix)
    import anyio

    opener = _opener(
        _Given(None if fetched is not None or not words else words[0], words[-1] if words else None, fetched, server, db, loop)
    )
    if stdio:
        anyio.run(_talk, opener, loop, backend=loop)
        return OK
    try:
        anyio.run(_listen, port or 0, opener, loop, backend=loop)
    except OSError as error:
        raise Refusal(f"port {port} cannot be listened on: {error.strerror}") from None
    return OK


def _write(vsix: pathlib.Path) -> int:
    import importlib.metadata

    from inngest_gen.debugger.dap.vscode import manifest, packed

    # -P: the directory where an editor happens to start it has no modules of ours.
    command = [sys.executable, "-P", "-m", "inngest_gen.cli.main", "debug", "--dap", "--stdio"]
    try:
        vsix.write_bytes(packed(manifest(command, importlib.metadata.version("inngest-gen"))))
    except OSError as error:
        raise Refusal(f"{vsix} cannot be written: {error.strerror}") from None
    click.echo(f"{vsix} is written: install it with `code --install-extension {vsix}`")
    return OK


async def _talk(opener: Opener, loop: str) -> None:
    from inngest_gen.debugger.dap.conversation import Conversation
    from inngest_gen.debugger.dap.stdio import taken

    async with taken() as pipes:
        await Conversation(pipes, opener, loop=loop, tell=_tell).run()


async def _listen(port: int, opener: Opener, loop: str) -> None:
    from inngest_gen.debugger.dap.listening import listen

    def ready(port: int) -> None:
        click.echo(f"waiting for an editor on 127.0.0.1:{port} (Ctrl-C ends it)")

    await listen(port, opener, loop=loop, tell=_tell, ready=ready)


def _tell(answer: Mapping[str, Any]) -> str:
    from inngest_gen.cli.debug import telling

    return "\n".join(telling.lines(answer, lambda _: []))


@dataclass(frozen=True, slots=True)
class _Given:
    """What the command line says: of what an editor does not say."""

    run: str | None
    app: str | None
    fetched: str | None
    server: str | None
    db: pathlib.Path
    loop: str


def _opener(given: _Given) -> Opener:
    """Make what opens what an editor wants to debug."""
    from inngest_gen.debugger.dap.refused import Refused

    def opened(launch: Launch) -> tuple[Recording, App]:
        from inngest_gen.cli import target as targets
        from inngest_gen.errors import InngestGenError

        app = launch.app or given.app
        if app is None:
            raise Refused('say which app: "app" is MODULE:APP, such as "shop:app" or "shop.py:app"', shown=True)
        try:
            if launch.cwd is not None:
                os.chdir(launch.cwd)
            loaded = targets.load(app)
            return _recording(launch, given, loaded), loaded
        except OSError as error:
            raise Refused(f"{error.filename or launch.cwd}: {error.strerror}", shown=True) from None
        except (Refusal, InngestGenError) as error:
            details = getattr(error, "details", None)
            raise Refused(f"{error}\n{details}" if details else str(error), shown=True) from None

    return opened


def _recording(launch: Launch, given: _Given, app: App) -> Recording:
    from inngest_gen.cli.debug.finding import find, find_on_server

    wanted = launch.recording or launch.run
    on_server = launch.server is not None or (wanted is None and given.fetched is not None)
    if wanted is None:
        wanted = given.fetched if on_server else given.run
    if wanted is None:
        raise Refusal('say which run: "run" is its id, or "last"; "recording" the path of a recording')
    if not on_server:
        return find(wanted, given.db if launch.db is None else pathlib.Path(launch.db))
    with ThreadPoolExecutor(1) as thread:  # it has a loop of its own, and this is called in one
        return thread.submit(find_on_server, wanted, app, launch.server or given.server, given.loop).result()
