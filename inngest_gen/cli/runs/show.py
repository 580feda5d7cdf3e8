"""`inngest-gen runs show`: one run's timeline."""

from __future__ import annotations

import pathlib

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import OK

_HELP = """Draw a run's timeline.

    Its steps in order inside their branches, the attempts with their errors, what waits and until when, its defers and what became of them, the
    runs it made, notes, and its output or error. Without RUN it is the newest.

    \b
    Examples:
      inngest-gen runs show last
      inngest-gen runs show 3VRBBT
      inngest-gen runs show last --json | jq .steps
    """


@click.command(help=_HELP, short_help="Draw a run's timeline.")
@click.argument("run_id", metavar="[RUN]", default="last")
@options.as_json
@options.db
def show(run_id: str, *, as_json: bool, db: pathlib.Path) -> int:
    """Show a run."""
    from inngest_gen.cli.selection import select
    from inngest_gen.clock import SystemClock
    from inngest_gen.engine.store.reader import Reader
    from inngest_gen.errors import RunNotFound

    reader = Reader(db)
    try:
        id = select(reader, run_id)
        run = reader.get(id)
        if run is None:
            raise RunNotFound(id)
        made = [child for child in map(reader.get, reader.children(id)) if child is not None]
        parent = None if run.parent_run_id is None else reader.get(run.parent_run_id)
    finally:
        reader.close()
    if as_json:
        from inngest_gen.cli import document, wording

        click.echo(
            wording.compact(
                {
                    **document.of_run(run),
                    "made": [{"id": one.id, "kind": one.kind, "function_id": one.function_id, "status": one.status} for one in made],
                }
            )
        )
        return OK
    from inngest_gen.cli.paper import Paper
    from inngest_gen.cli.timeline import timeline

    paper = Paper()
    paper.lines(timeline(run, made, now=SystemClock().now(), width=paper.width, parent=parent))
    return OK
