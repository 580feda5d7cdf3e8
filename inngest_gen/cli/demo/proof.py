"""The proof that no finished step ran twice: what the record held at the kill, against the file of side effects. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.text import Text

from inngest_gen.cli.demo.ledger import Entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """A step: how often its body ran in each process, what was to be expected, and whether that is so."""

    step: str
    first: int
    second: int
    words: str
    holds: bool


def prove(entries: Sequence[Entry], *, first: int, second: int, finished: Collection[str], in_flight: Collection[str]) -> list[Verdict]:
    """Judge each step. `first` and `second` are the processes; `finished` and `in_flight` what the record held of steps at the kill."""
    count = Counter(entries)
    verdicts: list[Verdict] = []
    for step in dict.fromkeys(entry.step for entry in entries):
        attempts = {entry: number for entry, number in count.items() if entry.step == step}
        before = sum(number for entry, number in attempts.items() if entry.pid == first)
        after = sum(number for entry, number in attempts.items() if entry.pid == second)
        strangers = sum(attempts.values()) - before - after
        once = max(attempts.values()) == 1 and strangers == 0
        if step in finished:
            words, holds = "finished, not run again", once and before >= 1 and after == 0
        elif step in in_flight:
            words, holds = "in flight, run again", once and before >= 1 and after >= 1
        else:
            words, holds = "not begun yet", once and before == 0 and after >= 1
        verdicts.append(Verdict(step, before, after, words if holds else f"WRONG ({words})", holds))
    missing = sorted(set(finished) - {verdict.step for verdict in verdicts})
    verdicts += [Verdict(step, 0, 0, "WRONG: recorded as finished, but its body never ran", holds=False) for step in missing]
    return verdicts


def table(verdicts: Sequence[Verdict], *, first: int, second: int) -> list[Text]:
    """Draw the proof."""
    lines = [Text(f"  {'STEP':<10}{f'PID {first}':>14}{f'PID {second}':>14}", style="dim", no_wrap=True)]
    for verdict in verdicts:
        line = Text(f"  {verdict.step:<10}{_times(verdict.first):>14}{_times(verdict.second):>14}  ", no_wrap=True)
        line.append(f"{'✓' if verdict.holds else '✗'} {verdict.words}", "green" if verdict.holds else "bold red")
        lines.append(line)
    return lines


def _times(count: int) -> str:
    return {0: "-", 1: "once"}.get(count, f"{count} attempts")
