"""Report: findings as text for people, as JSON for programs, as annotations for GitHub's pull requests. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Final

from inngest_gen.lint.finding import Finding
from inngest_gen.lint.rules.all import RULES


def text(findings: Sequence[Finding]) -> str:
    """Give a line for each finding: `shop.py:12:5: IGN101 what is wrong`."""
    return "".join(f"{one.path}:{one.line}:{one.column}: {one.code} {one.message}\n" for one in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """Give one JSON array with an object for each finding: those of Finding, and the rule's `name`."""
    return (
        json.dumps([asdict(one) | {"name": RULES[one.code].name if one.code in RULES else "no-python"} for one in findings], indent=2)
        + "\n"
    )


def github(findings: Sequence[Finding]) -> str:
    """Give a workflow command for each finding, which GitHub Actions shows at the line of a pull request.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    lines = []
    for one in findings:
        place = f"file={_property(one.path)},line={one.line},endLine={one.end_line},col={one.column}"
        if one.end_line == one.line:  # GitHub refuses an end column on another line
            place += f",endColumn={one.end_column}"
        lines.append(
            f"::error {place},title={_property(one.code)}::{_data(f'{one.path}:{one.line}:{one.column}: {one.code} {one.message}')}\n"
        )
    return "".join(lines)


FORMATS: Final[Mapping[str, Callable[[Sequence[Finding]], str]]] = MappingProxyType({"text": text, "json": as_json, "github": github})


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
