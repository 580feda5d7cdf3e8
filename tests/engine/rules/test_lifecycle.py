"""A run's life as a table."""

import pathlib
import re
from typing import get_args

from inngest_gen.engine.rules.lifecycle import ENDED, TABLE, Happening, Status, after

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "design" / "engine.md"
STATES: tuple[Status, ...] = get_args(Status)
HAPPENINGS: tuple[Happening, ...] = get_args(Happening)


def test_every_state_says_what_can_happen_to_it() -> None:
    assert set(TABLE) == set(STATES)
    for status in STATES:
        for happening in HAPPENINGS:
            assert after(status, happening) == TABLE[status].get(happening)


def test_what_has_ended_ends_no_more() -> None:
    for status in ENDED:
        assert set(TABLE[status]) <= {"retry"}


def test_every_state_can_be_reached_and_every_unfinished_one_be_cancelled() -> None:
    reached: set[Status] = {"queued"}
    for _ in STATES:
        reached |= {next for status in reached for next in TABLE[status].values()}
    assert reached == set(STATES)
    for status in reached - ENDED:
        assert after(status, "cancel") == "cancelled"


def test_the_page_for_maintainers_shows_this_table() -> None:
    rows = re.findall(r"^\| (\w+) \|(.*)\|$", PAGE.read_text().partition("## A run's life")[2].partition("\n## ")[0], re.MULTILINE)
    shown = {status: [cell.strip() for cell in cells.split("|")] for status, cells in rows}
    header = shown.pop("state")
    assert header == list(HAPPENINGS)
    assert shown == {status: [after(status, happening) or "" for happening in HAPPENINGS] for status in STATES}
