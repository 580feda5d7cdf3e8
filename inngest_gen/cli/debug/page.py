"""`inngest-gen debug RUN MODULE:APP --html FILE`: writes the run as a page that needs neither a server nor this command."""

from __future__ import annotations

import pathlib
from collections import deque
from collections.abc import Sequence
from typing import Final

import anyio
import click

from inngest_gen.app.app import App
from inngest_gen.cli import wording
from inngest_gen.cli.debug.finding import find, names_a_file
from inngest_gen.cli.refusal import OK, Refusal
from inngest_gen.debugger.web.export import to_html
from inngest_gen.engine.store.reader import Reader
from inngest_gen.recording.recording import Recording

_FAMILY: Final = 50
"""Of the runs that a run started, and those that they did, so many are taken along."""


def write(recording: Recording, app: App, output: pathlib.Path, beside: Sequence[Recording], loop: str) -> int:
    """Write the page of a run and of those beside it; gives the exit status. Raises Refusal."""

    async def make() -> str:
        return await to_html(recording, app, beside=beside)

    page = anyio.run(make, backend=loop)
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{output} cannot be written: {error.strerror}") from None
    more = f" and {wording.plural(len(beside), 'run')} that came of it" if beside else ""
    click.echo(f"{output}: {recording.function} {recording.run_id}{more}, {len(page.encode()) // 1000} kB. Open it in a browser.")
    return OK


def beside(run: str | None, recording: Recording, db: pathlib.Path, given: Sequence[str]) -> list[Recording]:
    """Give the recordings of the runs that came of a run: those that are named and, of one in the engine's file, those that are there.

    `run` is None for a run that no engine here has.
    """
    found = [find(one, db) for one in given]
    if run is None or names_a_file(run):
        return found
    reader = Reader(db)
    try:
        todo = deque(reader.children(recording.run_id))
        while todo and len(found) < _FAMILY:
            id = todo.popleft()
            child = reader.recording(id)
            if child is not None:
                found.append(child)
                todo += reader.children(id)
    finally:
        reader.close()
    return found
