"""`inngest-gen dev`: the engine stays up, takes events from the command line and over HTTP, and reloads when the code changes."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import INTERRUPTED, OK

if TYPE_CHECKING:
    from inngest_gen.app.function import Function
    from inngest_gen.cli.stopping import Stop
    from inngest_gen.engine.engine import Engine
    from inngest_gen.engine.progress import Progress

_GRACE_S: Final = 10.0
_REMEMBERED: Final = 10_000
"""How many runs the printed lines can refer to: more are not kept in memory."""

STOPPING: Final = "stopping; steps in flight may end first (a second signal stops at once)"
STOPPED: Final = "stopped; unfinished runs go on when an engine next starts on the file"

_HELP = """Keep an engine running for MODULE:APP: for development, and for one machine.

    It takes up what is unfinished in the file, prints a line for each happening, and starts anew when a Python file under the current directory
    (or the app's) changes; runs go on where they were. Events come from `inngest-gen events send` and over HTTP on loopback: POST /e/KEY or
    /events with one event or a list, {"name": "order/placed", "data": {}}. Ctrl-C and SIGTERM let steps in flight end (10 s), then stop.

    \b
    Examples:
      inngest-gen dev shop.py:app
      inngest-gen dev shop:app --port 0 --loop trio --db /var/lib/shop.db
      curl --json '{"name": "order/placed", "data": {"order_id": "o1"}}' \\
           http://127.0.0.1:8288/e/dev

    HTTP needs: pip install 'inngest-gen[server]'
    """


@click.command(help=_HELP, short_help="Keep an engine running, reload on change.")
@options.target
@click.option("--port", type=click.IntRange(0, 65535), default=8288, show_default=True, help="For HTTP; 0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="For HTTP. Whoever reaches it can send events.")
@click.option("--no-reload", is_flag=True, help="Do not look for changes of the code.")
@click.option(
    "--supervised", "listener_fd", type=int, hidden=True, help="This is the supervisor's child, with this listening socket (-1: none)."
)
@click.option("--reloaded", is_flag=True, hidden=True, help="With --supervised: not the first child.")
@options.db
@options.loop
def dev(target: str, port: int, host: str, *, no_reload: bool, listener_fd: int | None, reloaded: bool, db: pathlib.Path, loop: str) -> int:
    """Keep an engine running."""
    if listener_fd is not None:
        inherited = None if listener_fd < 0 else socket.socket(fileno=listener_fd)
        return _Session(target, db, loop, inherited, supervised=True, reloaded=reloaded).run()
    listener = _listen(host, port)
    if no_reload:
        return _Session(target, db, loop, listener, supervised=False, reloaded=False).run()
    from inngest_gen.cli.supervisor import Supervisor
    from inngest_gen.cli.target import directories

    fd = -1 if listener is None else listener.fileno()
    command = [
        sys.executable, "-P", "-m", "inngest_gen.cli.main", "dev", target, "--db", str(db), "--loop", loop, "--supervised", str(fd),
    ]  # fmt: skip
    # The child stops within its grace, and HTTP and the file take a moment more.
    supervisor = Supervisor(
        command, directories(target), _say, asked=STOPPING, again=["--reloaded"], keep=[fd] if fd >= 0 else [], patience_s=_GRACE_S + 5
    )
    status = supervisor.run()
    if supervisor.was_asked:
        _say(STOPPED)
    return status


def _say(line: str) -> None:
    click.echo(f"inngest-gen: {line}", err=True)


def _listen(host: str, port: int) -> socket.socket | None:
    """Open the port before the engine, and once for all reloads: meanwhile requests wait, and none is refused."""
    from inngest_gen.cli import hosting

    if not hosting.is_installed():
        _say("no HTTP: it needs `pip install 'inngest-gen[server]'`; `inngest-gen events send` works without")
        return None
    return hosting.listen(host, port)


class _Session:
    """One life of the engine: from loading the app to the end of its grace."""

    def __init__(
        self, target: str, db: pathlib.Path, loop: str, listener: socket.socket | None, *, supervised: bool, reloaded: bool
    ) -> None:
        self._target = target
        self._db = db
        self._loop = loop
        self._listener = listener
        self._supervised = supervised
        self._reloaded = reloaded

    def run(self) -> int:
        """Live."""
        import anyio

        from inngest_gen.cli import logs
        from inngest_gen.cli import target as targets

        self._app = targets.load(self._target)
        logs.show()
        return anyio.run(self._live, backend=self._loop)

    async def _live(self) -> int:
        import anyio

        from inngest_gen.cli.stopping import stop_on_signals
        from inngest_gen.engine.engine import Engine

        with stop_on_signals(lambda: None if self._supervised else _say(STOPPING)) as stop:
            async with anyio.create_task_group() as tasks:
                if self._supervised:
                    tasks.start_soon(_stop_without_supervisor, stop)
                printer = _Printer()
                unfinished = _unfinished(self._db)  # before: what the engine takes up may have ended by the time that it is up
                async with Engine(self._db, apps=[self._app], grace=_GRACE_S, watch=stop.while_read(printer.watch)) as engine:
                    for line in self._greeting(unfinished):
                        click.echo(line)
                    printer.greeted()
                    await self._serve(engine, stop)
                tasks.cancel_scope.cancel()
        if stop.unread:
            raise BrokenPipeError
        if not self._supervised:
            _say(STOPPED)
        return INTERRUPTED if stop.signal == signal.SIGINT else OK

    async def _serve(self, engine: Engine, stop: Stop) -> None:
        if self._listener is None:
            await stop.wait()
            return
        from inngest_gen.cli import hosting, server

        await hosting.serve(server.application(engine.send, self._status), self._listener, stop.wait, loop=self._loop)

    def _greeting(self, unfinished: str) -> list[str]:
        from inngest_gen.cli.run import event_names

        functions = self._app.functions.values()
        if self._reloaded:
            return [f"inngest-gen dev: reloaded {self._target}; functions: {len(functions)}, unfinished runs taken up: {unfinished}"]
        lines = [f"inngest-gen dev: {self._target} on {self._db}, under {self._loop}; Ctrl-C stops"]
        lines += [f"  {function.slug:<28}  {_starts(function)}" for function in functions]
        events = event_names(self._app)
        if events:
            example = next((name for name in events if "*" not in name), events[0])
            lines.append(
                f"  send events:   inngest-gen events send {example} '{{}}'"
                + (f" --db {self._db}" if str(self._db) != options.DB_DEFAULT else "")
            )
        if self._listener is not None:
            from inngest_gen.cli.hosting import url_of

            lines.append(f"  or over HTTP:  POST {url_of(self._listener)}/e/dev")
        if unfinished != "0":
            lines.append(f"  unfinished runs taken up: {unfinished}")
        return lines

    def _status(self) -> dict[str, Any]:
        from inngest_gen.cli.run import event_names

        return {
            "app": self._app.id,
            "functions": list(self._app.functions),
            "events": event_names(self._app),
            "db": str(self._db),
            "loop": self._loop,
        }


class _Printer:
    """Prints a line for each happening; those before the greeting after it."""

    def __init__(self) -> None:
        from inngest_gen.cli.board import Board

        self._board = Board(_REMEMBERED)
        self._held: list[str] | None = []

    def watch(self, progress: Progress) -> None:
        """Take a happening."""
        from inngest_gen.cli.lines import line

        text = line(progress, self._board)
        self._board.apply(progress)
        run = self._board.runs.get(progress.run_id)
        if run is not None:
            run.steps.clear()  # lines need what is open, not what was
        if text is None:
            return
        if self._held is None:
            click.echo(text)
        else:
            self._held.append(text)

    def greeted(self) -> None:
        """Print what was held back."""
        held, self._held = self._held or [], None
        for text in held:
            click.echo(text)


def _unfinished(db: pathlib.Path) -> str:
    from inngest_gen.engine.store.reader import Reader

    if not db.exists() or db.stat().st_size == 0:
        return "0"
    reader = Reader(db)
    try:
        count = sum(len(reader.runs(status, limit=100)) for status in ("running", "queued"))
    finally:
        reader.close()
    return str(count) if count < 100 else "100 or more"


async def _stop_without_supervisor(stop: Stop) -> None:
    import anyio

    while True:
        await anyio.wait_readable(0)
        if not os.read(0, 1024):
            stop.ask()
            return


def _starts(function: Function) -> str:
    from inngest_gen.options.trigger import Cron

    if function.kind == "main":
        names = [trigger.name for trigger in function.options.triggers if not isinstance(trigger, Cron)]
        return ", ".join(names) if names else "invoked"
    return "deferred" if function.kind == "defer" else "failure handler"
