"""Outcome: what came of the runs that an event caused, in full, after their progress. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from inngest_gen.cli import timeline, wording
from inngest_gen.engine.run import Run


def lines(runs: Sequence[Run], width: int) -> list[Text]:
    """Draw the outputs of the runs that events started, and every failure with the last frames of its stack."""
    drawn: list[Text] = []
    for run in runs:
        if run.status == "completed" and (run.kind != "event" or run.output is None):
            continue
        style = wording.STYLES.get(run.status, "")
        head = Text()
        head.append(f"{wording.SIGNS.get(run.status, '')} ", style)
        head.append(wording.one_line(run.function_id), "bold")
        head.append(f" {run.id} ", "dim")
        head.append(run.status, style)
        drawn += [Text(), head]
        if run.error is not None:
            drawn += timeline.error_lines(run.error, width)
        if run.status == "blocked":
            drawn.append(Text(f"  repair the code, then: inngest-gen runs retry {wording.short(run.id)}"))
        if run.status == "completed":
            compact = wording.compact(run.output)
            shown = [compact] if len(compact) <= width - 2 else wording.pretty(run.output).splitlines()
            drawn += [Text(f"  {line}") for line in shown]
    return drawn
