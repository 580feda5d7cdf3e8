"""The entry point: finds the command, turns what went wrong into one line on stderr, and the outcome into an exit status.

Promises: no traceback but of the user's own code. INNGEST_GEN_TRACEBACK=1 shows that of a defect in this package.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from inngest_gen.cli.lazygroup import LazyGroup
from inngest_gen.cli.refusal import BROKEN_PIPE, INTERRUPTED, OK, REFUSED, RUN_FAILED, Refusal

_EPILOG = """\b
Examples:
  inngest-gen demo
  inngest-gen run examples/order.py:app order/placed '{"order_id": "o1"}'
  inngest-gen runs show last

\b
Exit status: 0 done, 1 a run failed, was cancelled or is blocked, or lint
found something, 2 wrong usage or nothing that can be done, 130 Ctrl-C."""


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"inngest-gen {version('inngest-gen')}")
        ctx.exit()


@click.command(
    "inngest-gen",
    cls=LazyGroup,
    commands_at={
        "demo": "inngest_gen.cli.demo.command:demo",
        "run": "inngest_gen.cli.run:run",
        "dev": "inngest_gen.cli.dev:dev",
        "runs": "inngest_gen.cli.runs.group:runs",
        "debug": "inngest_gen.cli.debug.group:debug",
        "events": "inngest_gen.cli.events:events",
        "lint": "inngest_gen.cli.lint:lint",
        "serve": "inngest_gen.cli.serve:serve",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version and exit.")
def inngest_gen() -> None:
    """Durable execution on one machine: run functions, watch them, look at their runs."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # a terminal without UTF-8 gets escapes, not a crash
    sys.exit(status(arguments))


def status(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit status."""
    try:
        try:
            result = inngest_gen.main(arguments, prog_name="inngest-gen", standalone_mode=False)
            sys.stdout.flush()
        except BaseExceptionGroup as group:
            raise _only(group) from None
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return REFUSED
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx is not None else "inngest-gen"
        return _say(f"{error.format_message().rstrip('.')} (see `{path} --help`)")
    except click.ClickException as error:
        return _say(error.format_message())
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more when it exits: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE
    except Refusal as refusal:
        if refusal.details is not None:
            click.echo(refusal.details, err=True)
        return _say(str(refusal), refusal.code)
    except Exception as error:  # noqa: BLE001 - shown as a line, or raised again
        return _unexpected(error)
    return result if isinstance(result, int) else OK


def _unexpected(error: Exception) -> int:
    from inngest_gen.errors import InngestGenError

    if isinstance(error, InngestGenError):
        return _say(str(error))
    if os.environ.get("INNGEST_GEN_TRACEBACK"):
        raise error
    text = " ".join(str(error).split())
    return _say(
        f"a defect in inngest-gen, please report it: {type(error).__name__}: {text} (INNGEST_GEN_TRACEBACK=1 shows where)", RUN_FAILED
    )


def _say(line: str, code: int = REFUSED) -> int:
    click.echo(f"inngest-gen: {' '.join(line.split())}", err=True)
    return code


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the error in a group of one: task groups wrap what leaves them."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    main()
