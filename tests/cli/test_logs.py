"""Log lines on stderr, where nobody has set logging up."""

import io
import logging

import pytest

from inngest_gen.cli import logs


def untouched(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Make logging as a fresh process has it."""
    ours = logging.getLogger("inngest_gen")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(ours, "handlers", [])
    monkeypatch.setattr(ours, "level", logging.NOTSET)
    ours.manager._clear_cache()  # type: ignore[attr-defined]
    return ours


def test_lines_go_to_what_stderr_is_at_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    untouched(monkeypatch)
    logs.show()
    logs.show()
    later = io.StringIO()
    monkeypatch.setattr("sys.stderr", later)
    logging.getLogger("inngest_gen.shop").info("packed")
    logging.getLogger("inngest_gen.shop").debug("not shown")
    logging.getLogger("other").info("not ours")
    (line,) = later.getvalue().splitlines()
    assert line.endswith("  INFO inngest_gen.shop: packed")


def test_a_users_own_set_up_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = untouched(monkeypatch)
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler()])
    logs.show()
    assert (ours.handlers, ours.level) == ([], logging.NOTSET)
