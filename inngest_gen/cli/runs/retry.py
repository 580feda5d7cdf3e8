"""`inngest-gen runs retry`: lets failed and blocked runs go on."""

from __future__ import annotations

import pathlib

import click

from inngest_gen.cli import options

_HELP = """Let failed runs try their failed steps again, and blocked runs go on.

    Finished steps keep their results. Works beside a running engine, and without one: then it is carried out when an engine next starts on the
    file.

    \b
    Examples:
      inngest-gen runs retry last
      inngest-gen runs retry 3VRBBT
    """


@click.command(help=_HELP, short_help="Retry failed runs, unblock blocked ones.")
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@options.db
def retry(run_ids: tuple[str, ...], db: pathlib.Path) -> int:
    """Retry runs."""
    from inngest_gen.cli.runs.verdict import carry_out

    return carry_out("retry", run_ids, db)
