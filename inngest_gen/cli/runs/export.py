"""`inngest-gen runs export`: writes a run as a recording, which can be replayed, shared and kept."""

from __future__ import annotations

import contextlib
import pathlib
import sys
from typing import TYPE_CHECKING, Any

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import OK, Refusal

if TYPE_CHECKING:
    from inngest_gen.recording.recording import Recording
    from inngest_gen.recording.redaction import Hook

_HELP = """Write a run as a recording (JSON): everything that its replay needs, and how it ended.

    Works for runs that have ended and for those under way, beside a running engine too. `inngest-gen debug` opens the file. Without RUN it is the
    newest. RUN may be the path of a recording as well, such as one of an Inngest server's run, to be written with values replaced.

    \b
    --redact replaces the values at a path, and keeps their shape so that the
    run still replays. A path names a value inside an event, a result, an error,
    a defer or the output; * is any one part, ** any number of them:
      events.0.data.email    steps.charge.result.card    **.password

    \b
    Examples:
      inngest-gen runs export last > run.json
      inngest-gen runs export 3VRBBT -o run.json --redact '**.email'
      inngest-gen runs export last --redact-with shop.privacy:hide
      inngest-gen runs export run.json -o shared.json --redact '**.email'

    A function for --redact-with gets the path and the value of each text, number and so on, and gives what is to stand there.
    """


@click.command(help=_HELP, short_help="Write a run as a recording.")
@click.argument("run_id", metavar="[RUN]", default="last")
@click.option("--output", "-o", type=click.Path(path_type=pathlib.Path, dir_okay=False), help="Write to this file instead of stdout.")
@click.option("--redact", "paths", metavar="PATH", multiple=True, help="Replace the values at PATH; may be given more than once.")
@click.option("--redact-with", "hook", metavar="MODULE:FUNCTION", help="Replace values as this function says.")
@options.db
def export(run_id: str, output: pathlib.Path | None, *, paths: tuple[str, ...], hook: str | None, db: pathlib.Path) -> int:
    """Write a run as a recording."""
    from inngest_gen.cli.debug.finding import find
    from inngest_gen.recording.redaction import redact

    recording = find(run_id, db)
    stdout = sys.stdout.buffer
    with contextlib.redirect_stdout(sys.stderr):  # for JSON alone, whatever the function prints
        if paths or hook is not None:
            recording = redact(recording, paths, None if hook is None else _hook(hook))
    if output is None:
        from inngest_gen.recording.format import dumps

        stdout.write(dumps(recording))
        stdout.flush()
    else:
        write(recording, output)
    return OK


def write(recording: Recording, output: pathlib.Path) -> None:
    """Write a recording to a file. Raises Refusal."""
    from inngest_gen.recording.format import dumps

    try:
        output.write_bytes(dumps(recording))
    except OSError as error:
        raise Refusal(f"{output} cannot be written: {error.strerror}") from None


def _hook(target: str) -> Hook:
    from inngest_gen.cli import target as targets

    function: Hook = targets.load_function(target)

    def hook(path: str, value: Any) -> Any:
        try:
            return function(path, value)
        except Exception as error:
            raise Refusal(f"{target} failed for {path}: {type(error).__name__}: {error}") from error

    return hook
