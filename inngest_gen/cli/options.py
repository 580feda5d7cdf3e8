"""Options and arguments that several commands share, spelled and explained once."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any, Final

import click

DB_DEFAULT: Final = "inngest-gen.db"

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _in_a_directory(ctx: click.Context, param: click.Parameter, path: pathlib.Path | None) -> pathlib.Path | None:
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"there is no directory {str(path.parent)!r}", ctx, param)
    return path


def file(text: str, default: str | None) -> Decorator:
    """Make the option --db."""
    return click.option(
        "--db",
        type=click.Path(path_type=pathlib.Path, dir_okay=False),
        default=default,
        envvar=None if default is None else "INNGEST_GEN_DB",
        show_default=False,
        show_envvar=True,
        callback=_in_a_directory,
        help=text,
    )


db: Decorator = file(f"The engine's file (default: {DB_DEFAULT} in the current directory).", DB_DEFAULT)

loop: Decorator = click.option(
    "--loop", type=click.Choice(["asyncio", "trio"]), default="asyncio", show_default=True, help="The event loop that runs the code."
)

as_json: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

target: Decorator = click.argument("target", metavar="MODULE:APP")

data: Decorator = click.argument("data", metavar="[JSON|@file|-]", required=False)


def length(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read a duration ("1h30m", "90s", or a number of seconds): a click callback. Gives seconds. Raises click.BadParameter."""
    if value is None:
        return None
    from inngest_gen.durations import seconds

    try:
        return seconds(float(value) if value.replace(".", "", 1).isdigit() else value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no duration: write 90, 90s, 1h30m or 2d", ctx, param) from None
