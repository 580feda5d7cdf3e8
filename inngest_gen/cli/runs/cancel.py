"""`inngest-gen runs cancel`: ends runs; their handlers are not resumed, their deferred runs start."""

from __future__ import annotations

import pathlib

import click

from inngest_gen.cli import options

_HELP = """Cancel runs.

    A cancelled run's handler is not resumed; what it deferred is started. Works beside a running engine, and without one: then it is carried out
    when an engine next starts on the file.

    \b
    Examples:
      inngest-gen runs cancel last
      inngest-gen runs cancel 3VRBBT 2N7CH1
    """


@click.command(help=_HELP, short_help="Cancel runs.")
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@options.db
def cancel(run_ids: tuple[str, ...], db: pathlib.Path) -> int:
    """Cancel runs."""
    from inngest_gen.cli.runs.verdict import carry_out

    return carry_out("cancel", run_ids, db)
