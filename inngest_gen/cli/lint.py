"""`inngest-gen lint`: looks for what a replay breaks, in the text of handlers."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from inngest_gen.cli.refusal import OK, RUN_FAILED, Refusal

if TYPE_CHECKING:
    from inngest_gen.lint.finding import Finding
    from inngest_gen.lint.settings import Settings

_HELP = """Find in the text of handlers what a replay breaks. Nothing is executed.

    PATHS are files and folders, default the current directory. A line of text with `# noqa: IGN101` is left alone by that rule.
    Exit status: 0 nothing found, 1 something found, 2 wrong usage.

    \b
    Examples:
      inngest-gen lint
      inngest-gen lint shop/ --ignore IGN107
      inngest-gen lint --explain IGN101
    """


def _codes(_: click.Context, __: click.Parameter, value: Sequence[str]) -> list[str]:
    return [code.strip().upper() for one in value for code in one.split(",")]


@click.command(help=_HELP, short_help="Find what a replay breaks.")
@click.argument("paths", metavar="[PATHS]...", nargs=-1, type=click.Path(path_type=pathlib.Path))
@click.option(
    "--select", multiple=True, metavar="CODES", callback=_codes, help="Only these rules: IGN101,IGN2 means IGN101 and all of IGN2xx."
)
@click.option("--ignore", multiple=True, metavar="CODES", callback=_codes, help="Not these rules.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Not these files and folders.")
@click.option("--format", "shape", type=click.Choice(["text", "json", "github"]), default="text", show_default=True, help="How to print.")
@click.option("--explain", metavar="CODE", help="Explain a rule, with a wrong and a right example.")
def lint(
    paths: Sequence[pathlib.Path], *, select: list[str], ignore: list[str], exclude: Sequence[str], shape: str, explain: str | None
) -> int:
    """Check files."""
    if explain is not None:
        return _explain(explain.strip().upper())
    from inngest_gen.lint.report import FORMATS
    from inngest_gen.lint.settings import Settings

    settings = Settings.near(pathlib.Path.cwd()).given(select=select, ignore=ignore, exclude=exclude)
    findings, files = _found(paths or [pathlib.Path()], settings)
    click.echo(FORMATS[shape](findings), nl=False)
    if shape == "text":
        where = len({finding.path for finding in findings})
        count = f"{len(findings)} finding{'s' * (len(findings) != 1)} in {where} of " if findings else "nothing found in "
        click.echo(f"inngest-gen: {count}{files} file{'s' * (files != 1)}", err=True)
    return RUN_FAILED if findings else OK


def _found(paths: Sequence[pathlib.Path], settings: Settings) -> tuple[list[Finding], int]:
    from inngest_gen.lint.check import check, unreadable
    from inngest_gen.lint.files import find, read

    findings: list[Finding] = []
    files = 0
    try:
        for path in find(paths, settings.exclude, settings.root):
            files += 1
            try:
                findings += check(read(path), str(path), rules=settings.rules(path))
            except (SyntaxError, UnicodeDecodeError) as error:  # it declares an encoding that is none, or that it does not keep
                findings.append(unreadable(error, str(path)))
    except OSError as error:
        raise Refusal(str(error)) from None
    return findings, files


def _explain(code: str) -> int:
    from inngest_gen.lint.rules.all import RULES

    if code not in RULES:
        raise Refusal(f"there is no rule {code!r}; there are {', '.join(RULES)}")
    click.echo(RULES[code].page(), nl=False)
    return OK
