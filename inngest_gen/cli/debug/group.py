"""`inngest-gen debug`: the group. What is no command's name is a RUN for `open`: `inngest-gen debug last shop:app`."""

from __future__ import annotations

from typing import Final

import click

from inngest_gen.cli.lazygroup import LazyGroup

_DEFAULT: Final = "open"


class _RunOrCommand(LazyGroup):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put in the default command where none is named."""
        if args and args[0] not in {*self.list_commands(ctx), *ctx.help_option_names}:
            args = ["dap" if "--dap" in args else _DEFAULT, *args]
        return super().parse_args(ctx, args)


@click.command(
    "debug",
    short_help="Step through a run, forwards and backwards.",
    cls=_RunOrCommand,
    commands_at={
        "open": "inngest_gen.cli.debug.open:open_",
        "check": "inngest_gen.cli.debug.check:check",
        "dap": "inngest_gen.cli.debug.dap:dap",
    },
)
def debug() -> None:
    """Step through a recorded run, forwards and backwards.

    `inngest-gen debug RUN MODULE:APP` opens a run; the word `open` may be left out. With --dap it is debugged in an editor.

    RUN is a run's id, its beginning, its end or `last`, in the engine's file; or the path of a recording (inngest-gen runs export).
    """
