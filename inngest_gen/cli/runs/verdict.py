"""What `runs cancel` and `runs retry` have in common: find the runs, ask the engine, wait for each to change, say what came of it."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Literal

import click

from inngest_gen.cli.refusal import OK, RUN_FAILED, Refusal

_PAST = {"cancel": "cancelled", "retry": "retried"}


def carry_out(kind: Literal["cancel", "retry"], texts: Sequence[str], db: pathlib.Path) -> int:
    """Cancel or retry runs. Raises Refusal, before anything is asked, where one cannot be."""
    from inngest_gen.cli import wording
    from inngest_gen.cli.asking import ask, engine_runs, wait_until
    from inngest_gen.cli.selection import select
    from inngest_gen.engine.rules.lifecycle import after
    from inngest_gen.engine.run import Run
    from inngest_gen.engine.store.reader import Reader
    from inngest_gen.errors import RunNotFound

    reader = Reader(db)

    def read(id: str) -> Run:
        run = reader.get(id)
        if run is None:
            raise RunNotFound(id)
        return run

    def times(run: Run) -> int:
        return sum(note.kind == kind for note in run.notes)

    try:
        before = {run.id: run for run in (read(select(reader, text)) for text in texts)}
        for run in before.values():
            if after(run.status, kind) is None:
                hint = (
                    f"is {run.status}: only failed and blocked runs can be retried"
                    if kind == "retry"
                    else f"has ended already ({run.status})"
                )
                raise Refusal(f"run {wording.short(run.id)} of {run.function_id} {hint}")
        for id in before:
            ask(db, kind, {"run_id": id})
        if not engine_runs(db):
            what = f"{len(before)} runs" if len(before) > 1 else f"{next(iter(before.values())).function_id} {next(iter(before))}"
            click.echo(f"no engine is running on {db}: {what} will be {_PAST[kind]} when one next starts")
            return OK
        status = OK
        for id, run in before.items():
            label = f"{run.function_id} {id}"
            if wait_until(lambda id=id, run=run: times(read(id)) > times(run)):  # type: ignore[misc]
                click.echo(f"{_PAST[kind]}: {label}")
            else:
                status = RUN_FAILED
                click.echo(f"the engine on {db} has not answered within 5 s: {label} will be {_PAST[kind]} when it does", err=True)
        return status
    finally:
        reader.close()
