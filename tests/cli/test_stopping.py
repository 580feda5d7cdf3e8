"""Signals: the first one asks, the second one ends the process."""

import os
import signal

import anyio
import pytest

from inngest_gen.cli import stopping
from inngest_gen.cli.stopping import stop_on_signals
from inngest_gen.engine.progress import Progress
from tests.cli.happenings import it


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_asks_and_cancels_the_scope(number: signal.Signals) -> None:
    asked: list[bool] = []
    with stop_on_signals(lambda: asked.append(True)) as stop:
        assert not stop.is_asked
        with stop.scope:
            os.kill(os.getpid(), number)
            await anyio.sleep_forever()
        assert stop.scope.cancelled_caught
        await stop.wait()
        assert (stop.is_asked, stop.signal, asked) == (True, number, [True])


async def test_the_second_signal_ends_the_process_even_if_the_loop_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    with stop_on_signals(lambda: None):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert left == [130]  # no turn of the loop since


async def test_asking_twice_asks_once() -> None:
    asked: list[bool] = []
    with stop_on_signals(lambda: asked.append(True)) as stop:
        stop.ask(signal.SIGTERM)
        stop.ask(signal.SIGINT)
        stop.ask()
    assert (asked, stop.signal) == ([True], signal.SIGTERM)


async def test_output_that_nobody_reads_asks_without_a_word() -> None:
    told: list[Progress] = []

    def watch(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 2:
            raise BrokenPipeError

    asked: list[bool] = []
    with stop_on_signals(lambda: asked.append(True)) as stop:
        watching = stop.while_read(watch)
        watching(it("run.started", 0))
        assert not stop.is_asked
        watching(it("run.started", 1))
        assert (stop.is_asked, stop.unread, stop.signal, asked) == (True, True, None, [])


async def test_the_handlers_from_before_come_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signals(lambda: None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_leaving_at_once_shows_the_cursor_again(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        monkeypatch.setattr(os, "_exit", lambda code: None)
        stopping.leave_at_once()
        assert os.read(master, 100).startswith(b"\x1b[?25h")
    os.close(master)
