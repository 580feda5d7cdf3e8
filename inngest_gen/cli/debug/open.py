"""`inngest-gen debug RUN MODULE:APP`: opens a run, reads commands and says where it stands."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import INTERRUPTED, OK

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from inngest_gen.app.app import App
    from inngest_gen.cli.debug.hanging import HandlerHangs
    from inngest_gen.debugger.session import Session
    from inngest_gen.recording.recording import Recording

_HELP = """Step through a run, forwards and backwards.

    No step's function runs and nothing is sent anywhere: only the handler's own code between its yields does run. RUN is a run in the engine's file
    or the path of a recording; MODULE:APP is the code, as for `inngest-gen run`. With --run it is read from the app's Inngest server, or the one at
    --server, where it must not have ended; keys are those of the app's settings (INNGEST_SIGNING_KEY).

    On a terminal this opens a view of source, timeline and locals with single-key commands; `?` lists them.

    \b
    With --plain, and where stdin or stdout is no terminal, commands are read
    from stdin, one a line; `help` lists them, `walk` prints all stops to the
    end. With --json each line is a JSON object and so is each answer; with
    --command they are given here. With --html the run becomes a page to step
    through in a browser, in one file that asks nobody for anything; the runs
    that it started are in it as well. With --save its recording is written:
    to be kept, or shared (inngest-gen runs export --redact).

    \b
    Examples:
      inngest-gen debug last shop:app
      inngest-gen debug run.json shop.py:app -c 'run_to charge' -c 'p order'
      inngest-gen debug open 3VRBBT shop:app --plain -c walk
      inngest-gen debug --server http://localhost:8288 --run 01KB82PJYQ shop:app
      inngest-gen debug --run 01KB82PJYQ shop:app --save run.json
      inngest-gen debug last shop:app --html run.html
      echo '{"command": "finish"}' | inngest-gen debug last shop:app --json
    """


@click.command("open", help=_HELP, short_help="Step through a run (`open` may be left out).")
@click.argument("words", metavar="[RUN] MODULE:APP", nargs=-1)
@click.option("--run", "fetched", metavar="ID", help="Read this run from an Inngest server, in place of RUN. It must not have ended.")
@click.option("--server", metavar="URL", help="The server that --run reads from.  [default: the one in the app's settings]")
@click.option("--plain", is_flag=True, help="Print stops as text, read commands as words.  [the default but on a terminal]")
@click.option("--json", "as_json", is_flag=True, help="Read commands and print answers as JSON lines, for programs.")
@click.option(
    "--command", "-c", "commands", multiple=True, metavar="COMMAND", help="Carry this out instead of reading stdin; may be repeated."
)
@click.option("--live", is_flag=True, help="Allow `live`, which runs a step past the end of the record for real.")
@click.option("--html", type=click.Path(path_type=pathlib.Path, dir_okay=False), metavar="FILE", help="Write the run as a page instead.")
@click.option("--beside", multiple=True, metavar="RUN", help="With --html: another run for the page; may be repeated.")
@click.option("--save", type=click.Path(path_type=pathlib.Path, dir_okay=False), metavar="FILE", help="Write the run's recording instead.")
@options.db
@options.loop
def open_(
    words: tuple[str, ...],
    *,
    fetched: str | None,
    server: str | None,
    plain: bool,
    as_json: bool,
    commands: tuple[str, ...],
    live: bool,
    html: pathlib.Path | None,
    beside: tuple[str, ...],
    save: pathlib.Path | None,
    db: pathlib.Path,
    loop: str,
) -> int:
    """Step through a run."""
    if plain and as_json:
        raise click.UsageError("--plain and --json: choose one")
    if server is not None and fetched is None:
        raise click.UsageError("--server wants the run, too: --run ID")
    if len(words) != (2 if fetched is None else 1):
        raise click.UsageError("give a run and its code: RUN MODULE:APP, or --run ID MODULE:APP for a run on an Inngest server")
    if html is not None and (plain or as_json or commands or live):
        raise click.UsageError("--html writes a page and reads no commands: it goes without --plain, --json, --command and --live")
    if save is not None and (html is not None or plain or as_json or commands or live):
        raise click.UsageError("--save writes a recording and nothing else: it goes without --html, --plain, --json, --command and --live")
    if beside and html is None:
        raise click.UsageError("--beside is for --html")
    from inngest_gen.cli import target as targets
    from inngest_gen.cli.debug.finding import find, find_on_server

    recording = find(words[0], db) if fetched is None else None
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        app = targets.load(words[-1])
    if recording is None:
        assert fetched is not None
        recording = find_on_server(fetched, app, server, loop)
    if save is not None:
        from inngest_gen.cli.runs.export import write

        write(recording, save)
        click.echo(f"{save}: {recording.function} {recording.run_id}, {recording.status}. inngest-gen debug {save} MODULE:APP opens it.")
        return OK
    if html is not None:
        from inngest_gen.cli.debug import page

        return page.write(recording, app, html, page.beside(words[0] if fetched is None else None, recording, db, beside), loop)
    return debug(recording, app, commands, plain=plain, as_json=as_json, live=live, loop=loop)


def debug(
    recording: Recording,
    app: App,
    commands: tuple[str, ...] = (),
    *,
    plain: bool = False,
    as_json: bool = False,
    live: bool = False,
    loop: str = "asyncio",
) -> int:
    """Debug a recording until the user leaves, or the commands end; gives the exit status."""
    from anyio.from_thread import start_blocking_portal

    from inngest_gen.cli.debug.hanging import HandlerHangs, is_free
    from inngest_gen.debugger.session import Session

    session = Session(recording, app, live=live)
    try:
        # The handler replays under the chosen loop, in a thread of its own: this one waits for what the user types.
        with start_blocking_portal(backend=loop) as portal:
            try:
                status = _speak(session, portal, commands, plain=plain, as_json=as_json)
            except KeyboardInterrupt:  # a move that is under way is cancelled as the portal ends
                if not is_free(portal):
                    _leave(HandlerHangs(INTERRUPTED))
                raise
            except HandlerHangs as hangs:
                _leave(hangs)
            session.close()
            return status
    finally:
        session.close()


def _speak(session: Session, portal: BlockingPortal, commands: tuple[str, ...], *, plain: bool, as_json: bool) -> int:
    if as_json:
        from inngest_gen.cli.debug.jsonlines import JsonLines

        return JsonLines(session, portal).run(commands)
    if not plain and not commands and _has_view():
        from inngest_gen.cli.debug.terminal.window import Window

        portal.call(session.start)
        return Window(session, portal).run()
    from inngest_gen.cli.debug.plain import Plain

    return Plain(session, portal).run(commands)


def _leave(hangs: HandlerHangs) -> NoReturn:
    """End the process: the handler's thread cannot be joined."""
    click.echo(f"inngest-gen: {hangs}", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(hangs.status)


def _has_view() -> bool:
    """Say whether there is a terminal for the view; where it cannot show it, say why."""
    from inngest_gen.cli.debug.terminal.possible import is_terminal, why_not

    if not is_terminal(sys.stdin, sys.stdout):
        return False
    reason = why_not(os.environ, is_windows=os.name == "nt")
    if reason is not None:
        click.echo(f"{reason}; commands are read as words (--plain)", err=True)
    return reason is None
