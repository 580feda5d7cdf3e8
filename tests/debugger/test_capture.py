"""What handlers print is kept with their run, what others print meanwhile is not; stubs stand for resources."""

import sys

import anyio
import pytest

from inngest_gen.debugger.capture import LIMIT, Tape, capturing, current_tape, tape_logger
from inngest_gen.debugger.stub import Stub, stub_for


def test_only_code_with_a_tape_is_captured(capsys: pytest.CaptureFixture[str]) -> None:
    tape = Tape()
    real = sys.stdout, sys.stderr
    with capturing():
        print("to all")
        token = current_tape.set(tape)
        print("to the tape", end="")
        print("and the other", file=sys.stderr)
        sys.stdout.writelines(["a", "b"])
        current_tape.reset(token)
        with capturing():
            print("still to all")
        assert sys.stdout.encoding == real[0].encoding
    assert (sys.stdout, sys.stderr) == real
    assert capsys.readouterr().out == "to all\nstill to all\n"
    assert [(one.stream, one.text) for one in tape.output()] == [("stdout", "to the tape"), ("stderr", "and the other\n"), ("stdout", "ab")]
    tape.clear()
    assert tape.output() == ()


async def test_two_that_capture_at_once_put_the_streams_back_in_whatever_order() -> None:
    real = sys.stdout
    first_is_out = anyio.Event()

    async def first() -> None:
        with capturing():
            await anyio.lowlevel.checkpoint()
        first_is_out.set()

    async def second() -> None:
        with capturing():
            await first_is_out.wait()
            assert sys.stdout is not real

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        tasks.start_soon(second)
    assert sys.stdout is real


def test_a_stream_that_was_put_in_meanwhile_stays(capsys: pytest.CaptureFixture[str]) -> None:
    real = sys.stdout
    try:
        with capturing():
            sys.stdout = sys.__stdout__
        assert sys.stdout is sys.__stdout__
    finally:
        sys.stdout = real


def test_what_is_kept_is_bounded() -> None:
    tape = Tape()
    for _ in range(100):
        tape.write("stdout", "x" * 10_000)
    [output] = tape.output()
    assert len(output.text) < LIMIT + 100
    assert output.text.endswith("\n... the rest is not kept ...\n")


def test_log_lines_go_to_the_tape_and_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    logger = tape_logger()
    logger.error("lost: %s", "no tape")
    tape = Tape()
    token = current_tape.set(tape)
    logger.info("kept: %s", 1)
    current_tape.reset(token)
    assert [(one.stream, one.text) for one in tape.output()] == [("log", "INFO: kept: 1\n")]
    assert capsys.readouterr().err == ""


async def test_a_stub_may_be_handed_on_and_used() -> None:
    told: list[str] = []
    stub = stub_for(anyio.Lock(), told.append)
    cursor: object = stub.cursor
    assert isinstance(cursor, Stub)
    async with stub.transaction() as inside:
        assert isinstance(inside, Stub)
        await inside.execute("x")  # type: ignore[unused-awaitable]
    with stub.lock as lock:
        assert isinstance(lock, Stub)
    assert told == ["Lock.cursor", "Lock.transaction", "Lock.lock"]
    assert bool(stub)
    assert repr(stub.a.b()) == "<stub of Lock.a.b()>"
    with pytest.raises(TypeError, match="there is nothing to go through"):
        list(stub)
    with pytest.raises(AttributeError):
        _ = stub.__wrapped__
