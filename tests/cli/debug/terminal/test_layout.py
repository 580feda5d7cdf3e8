"""Drawing: every screen is exactly as large as the terminal, says what matters at 80 by 24, and nothing in it can drive the terminal."""

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.cli.debug.terminal import layout, signs
from inngest_gen.cli.debug.terminal.cells import cells, cells_of, cut, fit, text_of, wrapped
from inngest_gen.cli.debug.terminal.colouring import coloured
from inngest_gen.cli.debug.terminal.keys import HINTS, KEYS, help_lines
from inngest_gen.cli.debug.terminal.possible import why_not
from inngest_gen.cli.debug.terminal.shown import Busy, Pager
from tests.cli.debug.terminal import rig
from tests.cli.debug.terminal.rig import desk

TEXTS = st.text(st.characters(blacklist_categories=["C", "Z", "M"]) | st.sampled_from(" 日本語テキスト"), max_size=40)


@given(st.lists(st.tuples(st.just(""), TEXTS), max_size=4), st.integers(1, 60))
def test_a_line_is_cut_and_filled_to_its_cells(line: list[tuple[str, str]], width: int) -> None:
    made = fit(line, width)
    assert cells_of(made) == width
    if cells_of(line) <= width:
        assert text_of(made).rstrip() == text_of(line).rstrip()


@given(st.lists(st.tuples(st.just(""), TEXTS), max_size=4), st.integers(12, 60))
def test_a_wrapped_line_keeps_its_text(line: list[tuple[str, str]], width: int) -> None:
    made = wrapped(line, width, 4)
    assert all(cells_of(one) <= width for one in made)
    first, *more = made
    assert text_of(first) + "".join(text_of(one)[4:] for one in more) == text_of(line)


def test_wide_characters_take_two_cells() -> None:
    assert (cells("日本"), cut("日本語", 5), text_of(fit([("", "日本語")], 4))) == (4, "日本", "日… ")


@pytest.mark.parametrize("event", ["order/placed", "fork"])
def test_every_stop_fits_terminals_of_every_size(event: str) -> None:
    with desk("asyncio", event) as view:
        while True:
            for width, height in ((80, 24), (120, 40), (200, 60), (60, 16), (30, 10), (10, 5), (1, 1)):
                drawn = layout.draw(view.shown, width, height)
                assert len(drawn) == max(2, height)
                wrong = [text_of(line) for line in drawn if cells_of(line) != width]
                assert wrong == []
            if view.shown.stop.is_last:
                break
            view.press("step")
        for focus in ("source", "stop", "locals", "timeline", "defers"):
            view.shown.focus, view.shown.zoomed = focus, True
            assert len(layout.draw(view.shown, 80, 24)) == 24
        view.shown.pager = Pager("keys", tuple(help_lines()))
        assert all(cells_of(line) == 80 for line in layout.draw(view.shown, 80, 24))


def test_without_unicode_there_are_signs_in_ascii() -> None:
    assert signs.for_encoding("utf-8") is signs.UNICODE
    assert signs.for_encoding("latin-1") is signs.for_encoding(None) is signs.for_encoding("no such") is signs.ASCII
    with desk("asyncio", "fork") as view:
        view.type("run_to", "rate")
        view.shown.signs = signs.ASCII
        screen = view.screen().replace("…", "")
        assert screen.isascii()
        assert ">  72" in screen or re.search(r"^>  \d+ ", screen, re.MULTILINE)


def test_what_comes_from_users_cannot_drive_the_terminal() -> None:
    with desk("asyncio", recording=rig.recorded("order/placed")) as view:
        view.type("run_to", "price")
        view.type("evaluate", "'\\x1b[2J\\n\\x9b'")
        view.shown.run = "\x1b[31mrun"
        view.shown.rows = tuple(
            dataclasses.replace(row, variable=dataclasses.replace(row.variable, text="\x1b[2J", name="a\rb")) for row in view.shown.rows
        )
        text = view.screen()
        assert {char for char in text if not char.isprintable()} == {"\n"}
        assert "\\x1b[2J" in text
    assert text_of(coloured("x = '\x1b[2J'\t# \x00")[0]).isprintable()


def test_source_in_colours_has_the_lines_of_the_file() -> None:
    text = Path(rig.__file__).read_text()
    assert [text_of(line) for line in coloured(text)][: text.count("\n")] == [line.expandtabs(4) for line in text.splitlines()]
    assert ("class:code.keyword", "async") in [piece for line in coloured(text) for piece in line]
    long = "x = 1\n" * 100_000
    assert coloured(long)[3] == [("class:code", "x = 1")]


def test_the_last_line_says_what_is_under_way() -> None:
    with desk("asyncio") as view:
        view.shown.busy = Busy("finish", 3.25, 1204)
        assert view.screen().splitlines()[-1] == "- finish: 3.2 s, 1,204 steps   Esc interrupts".replace(
            "- ", view.screen().splitlines()[-1][:2]
        )


def test_the_last_line_says_what_an_interrupted_move_waits_for() -> None:
    with desk("asyncio") as view:
        view.shown.busy = Busy("finish", 3.25, 0, ending=True)
        assert view.screen().splitlines()[-1].endswith("finish: 3.2 s   interrupted; q leaves: the handler is busy")


def test_a_long_message_is_cut_and_the_log_has_it() -> None:
    with desk("asyncio") as view:
        view.shown.message = ("word " * 200,)
        assert "... (:log shows all)" in view.screen()


# The table of keys.


def test_no_key_has_two_meanings_and_hints_are_keys() -> None:
    spelled = [name for key in KEYS for name in key.spelled]
    assert len(spelled) == len(set(spelled))
    assert all(hint in spelled for hint, _ in HINTS)
    assert len({key.action for key in KEYS}) == len(KEYS)
    assert max(map(len, help_lines())) <= 80


def test_the_page_has_the_table_of_keys() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "cli.md").read_text()
    rows = [(told.replace("`", ""), words) for told, words in re.findall(r"^\| (`[^|]*`) \| (.*?) \|$", page, re.MULTILINE)]
    missing = [key for key in KEYS if key.told and (key.told, key.help) not in rows]
    assert missing == []


# Terminals that cannot.


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "dumb"}, "TERM is 'dumb': this terminal cannot show the full-screen view"),
        ({}, "TERM is '': this terminal cannot show the full-screen view"),
    ],
)
def test_why_a_terminal_cannot_show_the_view(environment: dict[str, str], reason: str | None) -> None:
    assert why_not(environment) == reason
    assert why_not({"TERM": "xterm"}, is_windows=True) == "the full-screen view needs a POSIX terminal"
