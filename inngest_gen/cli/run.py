"""`inngest-gen run`: sends one event and stays until every run it causes has ended."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import sys
from typing import TYPE_CHECKING

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import INTERRUPTED, OK, RUN_FAILED, TERMINATED, Refusal

if TYPE_CHECKING:
    from inngest_gen.app.app import App
    from inngest_gen.cli.view import View
    from inngest_gen.clock import Clock
    from inngest_gen.engine.run import Run
    from inngest_gen.event import Event

_MANY = 100

_HELP = """Send EVENT with its data and stay until every run it causes has ended.

    Those are the runs it triggers, those they invoke or defer, and those of events they send. MODULE is a module (shop.orders) or a file
    (examples/order.py); without :APP its only App is taken. Data is a JSON object, or @file, or - for stdin.

    \b
    On a terminal the runs are drawn as a live tree; else each happening is a
    line, and with --json a line of JSON, followed by one for each run
    ({"kind": "run", ...}).

    \b
    Examples:
      inngest-gen run shop.py:app order/placed '{"order_id": "o1"}'
      inngest-gen run shop:app order/placed @order.json --fast-forward
      echo '{}' | inngest-gen run shop:app order/placed - --json --timeout 30s

    Exit status: 0 only if every run completed.
    """


@click.command(help=_HELP, short_help="Send an event, wait for all it causes.")
@options.target
@click.argument("event_name", metavar="EVENT")
@options.data
@click.option("--id", "event_id", metavar="ID", help="The event's id. A known one starts nothing new: what it has started is waited for.")
@click.option("--fast-forward", is_flag=True, help="Let sleeps, timeouts and waits for the next attempt pass at once.")
@click.option("--timeout", callback=options.length, metavar="DURATION", help="Leave after this long, with status 1; the runs go on later.")
@options.as_json
@options.db
@options.loop
def run(
    target: str,
    event_name: str,
    data: str | None,
    *,
    event_id: str | None,
    fast_forward: bool,
    timeout: float | None,
    as_json: bool,
    db: pathlib.Path,
    loop: str,
) -> int:
    """Send one event and wait for all it causes."""
    import anyio

    from inngest_gen.cli import logs, payload, view
    from inngest_gen.cli import target as targets
    from inngest_gen.clock import SystemClock, VirtualClock

    event = payload.event(event_name, data, sys.stdin.buffer.read, id=event_id)
    stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        app = targets.load(target)
    _check_listened(app, event_name)
    logs.show()
    clock: Clock = SystemClock()
    awaited, earlier = _before(db, event_id)
    if fast_forward:
        if earlier:
            raise Refusal(
                f"{db} has unfinished runs ({_count(earlier)}), whose sleeps and timeouts would pass at once too: name another file with --db,"
                " or let them end (inngest-gen runs list)"
            )
        clock = VirtualClock(clock.now(), jumps=True)
    shown = view.choose(clock.now, as_json=as_json, stdout=stdout)
    shown.board.awaited |= awaited
    ours = _of(app, earlier)
    if ours:
        shown.say(f"inngest-gen: {db} has unfinished runs ({_count(ours)}): they go on as well while this one is on its way")
    return anyio.run(_session, app, event, db, clock, timeout, shown, target, backend=loop)


async def _session(app: App, event: Event, db: pathlib.Path, clock: Clock, timeout: float | None, shown: View, target: str) -> int:
    import anyio

    from inngest_gen.cli import wording
    from inngest_gen.cli.stopping import stop_on_signals
    from inngest_gen.engine.engine import Engine
    from inngest_gen.errors import EngineLocked

    runs: list[Run] | None = None
    late = False
    stopping = "inngest-gen: stopping; steps in flight may end first (Ctrl-C again leaves at once)"
    try:
        with stop_on_signals(lambda: shown.say(stopping)) as stop:
            async with anyio.create_task_group() as drawing:
                shown.open()
                drawing.start_soon(shown.keep_drawing)
                try:
                    async with Engine(db, apps=[app], clock=clock, watch=stop.while_read(shown.watch)) as engine:
                        with stop.scope:
                            try:
                                runs = await engine.run(event, timeout=timeout)
                            except TimeoutError:
                                late = True
                finally:
                    drawing.cancel_scope.cancel()
    except* EngineLocked as group:
        locked = group.exceptions[0]
        raise Refusal(f"{locked}, or send the event to it: inngest-gen events send {event.name} --db {db}") from None
    finally:
        shown.close()
    if stop.unread:
        raise BrokenPipeError
    if runs is None:
        left = sum(not one.earlier and one.ended is None for one in shown.board.runs.values())
        there = len(_of(app, _before(db, None)[1]))  # the engine has closed: those of the board and those that came before
        before = f", {there - left} of them from before" if there > left else ""
        on = f"with `inngest-gen dev {target}` or the next `inngest-gen run`, on {db}"
        what = f"{wording.plural(max(left, there), 'run')} unfinished{before}, to go on {on}" if left or there else "no run is unfinished"
        if late:
            raise Refusal(f"not done after {timeout:g} s: {what}", code=RUN_FAILED)
        raise Refusal(f"stopped: {what}", code=TERMINATED if stop.signal == signal.SIGTERM else INTERRUPTED)
    shown.results(runs)
    return OK if all(one.status == "completed" for one in runs) else RUN_FAILED


def _check_listened(app: App, event_name: str) -> None:
    from inngest_gen.engine.rules.matching import Triggers

    names = event_names(app)
    if not Triggers((name, name) for name in names).match(event_name):
        there = ", ".join(names) if names else "none at all"
        raise Refusal(f"no function of app {app.id!r} listens to {event_name!r}; there are: {there}")


def event_names(app: App) -> list[str]:
    """List the names (and patterns) of the events that an app's functions listen to."""
    from inngest_gen.options.trigger import Cron

    declared = [trigger for function in app.functions.values() for trigger in function.options.triggers]
    return list(dict.fromkeys(trigger.name for trigger in declared if not isinstance(trigger, Cron)))


def _before(db: pathlib.Path, event_id: str | None) -> tuple[set[str], list[Run]]:
    """Give what the file holds already: the ids of the runs that this very event has caused, and the other unfinished runs."""
    from inngest_gen.engine.store.reader import Reader

    if not db.exists() or db.stat().st_size == 0:
        return set(), []
    reader = Reader(db)
    try:
        own = set() if event_id is None else set(reader.caused(event_id))
        return own, [run for status in ("running", "queued") for run in reader.runs(status, limit=_MANY) if run.id not in own]
    finally:
        reader.close()


def _of(app: App, runs: list[Run]) -> list[Run]:
    slugs = {function.slug for function in app.functions.values()}
    return [run for run in runs if run.function_id in slugs]


def _count(runs: list[Run]) -> str:
    return str(len(runs)) if len(runs) < _MANY else f"{_MANY} or more"
