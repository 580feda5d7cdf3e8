"""`inngest-gen debug check`: says whether recorded runs replay on the code as it is, before it is deployed."""

from __future__ import annotations

import contextlib
import pathlib
import sys
from typing import TYPE_CHECKING

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import OK, RUN_FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inngest_gen.app.app import App
    from inngest_gen.debugger.verdict import Verdict
    from inngest_gen.recording.recording import Recording

_HELP = """Say whether recorded runs replay on the code as it is.

    For CI, before a deploy: each run's recorded steps are replayed on the code, and where the handler asks for something else, both intents are told
    with both lines. No step's function runs. RUN is a run in the engine's file or the path of a recording; without RUN all unfinished runs of the app
    in the engine's file are checked, and failed ones that wait for their retry.

    \b
    Examples:
      inngest-gen debug check shop:app
      inngest-gen debug check last 3VRBBT shop:app
      inngest-gen debug check tests/recordings/*.json shop.py:app --json

    Exit status: 0 if all of them replay, 1 if one does not.
    """


@click.command(help=_HELP, short_help="Say whether runs replay on this code.")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@options.target
@options.as_json
@options.db
@options.loop
def check(runs: tuple[str, ...], target: str, *, as_json: bool, db: pathlib.Path, loop: str) -> int:
    """Check runs."""
    import anyio

    from inngest_gen.cli import target as targets

    stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # for the verdicts alone, whatever the app prints
        app = targets.load(target)
        recordings = _recordings(runs, app, db)
        verdicts = anyio.run(_verdicts, recordings, app, backend=loop)
    if as_json:
        from inngest_gen.cli import wording

        for verdict in verdicts:
            stdout.write(f"{wording.compact(verdict.to_json())}\n")
    else:
        _tell(verdicts, app, db)
    return OK if all(verdict.compatible for verdict in verdicts) else RUN_FAILED


def _recordings(runs: Sequence[str], app: App, db: pathlib.Path) -> list[Recording]:
    from inngest_gen.cli.debug.finding import find
    from inngest_gen.engine.store.reader import Reader

    if runs:
        return [find(run, db) for run in runs]
    reader = Reader(db)
    try:
        found = [reader.recording(id) for id, _ in reader.unfinished(app.id)]
    finally:
        reader.close()
    return [recording for recording in found if recording is not None]


async def _verdicts(recordings: Sequence[Recording], app: App) -> list[Verdict]:
    from inngest_gen.debugger import verdict
    from inngest_gen.errors import MisuseError

    found: list[Verdict] = []
    for recording in recordings:
        try:
            found.append(await verdict.check(recording, app))
        except MisuseError as error:  # the app has no such function: nothing could go on with this run
            found.append(
                verdict.Verdict(
                    run_id=recording.run_id,
                    function=recording.function,
                    compatible=False,
                    recorded=len(recording.finished()),
                    notes=(str(error),),
                )
            )
    return found


def _tell(verdicts: Sequence[Verdict], app: App, db: pathlib.Path) -> None:
    from inngest_gen.cli import wording
    from inngest_gen.cli.debug import telling

    for verdict in verdicts:
        click.echo(f"{'✓' if verdict.compatible else '✗'} {verdict.function} {verdict.run_id}")
        click.echo("\n".join(telling.verdict_lines(verdict.to_json(), lambda _: [])))
    bad = sum(not verdict.compatible for verdict in verdicts)
    if not verdicts:
        click.echo(f"no unfinished runs of app {app.id!r} in {db}")
    elif bad:
        click.echo(f"{bad} of {wording.plural(len(verdicts), 'run')} would not replay on this code")
    else:
        click.echo(f"{wording.plural(len(verdicts), 'run')}: all replay on this code")
