"""`inngest-gen runs`: the group of commands over the runs in a file."""

from __future__ import annotations

import click

from inngest_gen.cli.lazygroup import LazyGroup


@click.command(
    "runs",
    short_help="List, show, cancel, retry and export runs.",
    cls=LazyGroup,
    commands_at={
        "list": "inngest_gen.cli.runs.list:list_",
        "show": "inngest_gen.cli.runs.show:show",
        "cancel": "inngest_gen.cli.runs.cancel:cancel",
        "retry": "inngest_gen.cli.runs.retry:retry",
        "export": "inngest_gen.cli.runs.export:export",
    },
)
def runs() -> None:
    """List and show the runs in a file, cancel and retry them, write them out as recordings.

    RUN is a run's id, the beginning or the end of one (the six letters that progress lines show), or `last` for the newest.
    """
