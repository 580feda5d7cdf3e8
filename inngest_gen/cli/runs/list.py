"""`inngest-gen runs list`: the newest runs, a line each."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import OK

if TYPE_CHECKING:
    from rich.text import Text

    from inngest_gen.engine.run import Run

_STATUSES = ("queued", "running", "completed", "failed", "cancelled", "blocked")

_HELP = """List runs, the newest first.

    \b
    Examples:
      inngest-gen runs list --status failed
      inngest-gen runs list --function order-placed --limit 5
      inngest-gen runs list --json | jq -r 'select(.status == "blocked") | .id'
    """


@click.command("list", help=_HELP, short_help="List runs, the newest first.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only runs in this state.")
@click.option("--function", "function_id", metavar="ID", help="Only runs of this function: its id, with or without the app's.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print each run as a line of JSON.")
@options.db
def list_(status: str | None, function_id: str | None, limit: int, *, as_json: bool, db: pathlib.Path) -> int:
    """List runs."""
    from inngest_gen.clock import SystemClock
    from inngest_gen.engine.store.reader import Reader

    reader = Reader(db)
    try:
        found = reader.runs(status, function_id, limit)
    finally:
        reader.close()
    if as_json:
        from inngest_gen.cli import document, wording

        for run in found:
            click.echo(wording.compact(document.of_run(run)))
        return OK
    from inngest_gen.cli.paper import Paper

    paper = Paper()
    paper.lines(table(found, now=SystemClock().now(), width=paper.width))
    if len(found) == limit:
        click.echo(f"the newest {limit}; --limit shows more", err=True)
    return OK


def table(runs: Sequence[Run], *, now: float, width: int) -> list[Text]:
    """Draw the runs as a table. `now` is in epoch seconds. Pure."""
    from rich.text import Text

    from inngest_gen.cli import wording

    if not runs:
        return [Text("no runs")]
    room = max(8, width - 26 - 2 - 11 - 9 - 9 - 2)  # id, status, age, duration
    functions = min(room, max(8, *(len(run.function_id) for run in runs)))
    lines = [Text(f"{'RUN':<26}  {'FUNCTION':<{functions}}  {'STATUS':<9} {'AGE':>9} {'TOOK':>8}", style="dim", no_wrap=True)]
    for run in runs:
        took = "" if run.ended is None else wording.length((run.ended - run.created).total_seconds())
        line = Text(no_wrap=True)
        line.append(f"{run.id}  ")
        line.append(f"{wording.clipped(run.function_id, functions):<{functions}}  ", "bold")
        line.append(f"{run.status:<9} ", wording.STYLES.get(run.status, ""))
        line.append(f"{wording.age(now - run.created.timestamp()):>9} {took:>8}", "dim")
        lines.append(line)
    return lines
