"""Branches as threads: a stack each, ids that stay, and a bound where there are very many."""

import os
import pathlib
import subprocess
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.debugger.dap.framing import Decoder, encode
from inngest_gen.debugger.dap.numbers import Numbers
from inngest_gen.debugger.dap.refused import Refused
from inngest_gen.debugger.dap.strands import LIMIT, ROOT, Level, strands_of
from inngest_gen.debugger.session import Session
from tests.cli import program
from tests.debugger.rig import session_of
from tests.driver.corpus import echo

FALLBACK = Level(name="nothing is left", file="shop.py", line=7)


async def inner(ctx: ig.Context, name: str) -> ig.Flow:
    yield ctx.step.run(f"{name} 1", echo, 1)
    yield ctx.group.parallel(ctx.step.run(f"{name} 2", echo, 1), deepest(ctx, name))


async def deepest(ctx: ig.Context, name: str) -> ig.Flow:
    yield ctx.step.run(f"{name} 3", echo, 1)


async def nested(ctx: ig.Context) -> ig.Flow:
    yield ctx.group.parallel(inner(ctx, "a"), ctx.step.run("lone", echo), inner(ctx, "b"))
    yield ctx.step.run("after", echo)


def told(session: Session) -> tuple[dict[str, list[str]], str]:
    strands, current = strands_of(session.stop, "nested", FALLBACK)
    return {one.key: [level.name for level in one.levels] for one in strands}, current


async def test_groups_in_groups_are_strands_with_all_that_waits_for_them() -> None:
    session = await session_of(nested)
    assert told(session) == ({"": ["nested"]}, ROOT)
    await session.step()  # the group: no branch has begun
    assert told(session) == ({"": ["nested"]}, ROOT)
    await session.run_to("b 3")
    strands, current = told(session)
    below = ["[2] of group.parallel", "nested"]
    assert strands["parallel[2]"] == ["inner", *below]
    assert current in strands
    assert strands[current] == ["deepest", "[1] of group.parallel", "inner", *below]
    await session.finish()
    assert told(session) == ({"": ["nothing is left"]}, ROOT)


async def test_very_many_branches_are_cut_but_for_the_current_one() -> None:
    async def many(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(*[ctx.step.run(f"s{n}", echo, n) for n in range(LIMIT + 50)])

    session = await session_of(many)
    await session.run_to(f"s{LIMIT + 20}")
    strands, current = strands_of(session.stop, "many", FALLBACK)
    assert len(strands) == LIMIT + 1
    assert strands[-1].name == "… and 22 more branches"
    assert strands[-2].key == current == f"parallel[{LIMIT + 20}]"


async def test_a_thread_is_the_same_at_each_stop_and_a_frame_is_not() -> None:
    session = await session_of(nested)
    numbers = Numbers()
    await session.run_to("a 2")
    numbers.show(session.stop, "nested", FALLBACK)
    threads = {one.key: numbers.thread(one.key) for one in numbers.strands}
    frame = numbers.frame(numbers.strands[0], 0)
    assert numbers.frame(numbers.strands[0], 0) == frame
    await session.step()
    numbers.show(session.stop, "nested", FALLBACK)
    assert {key: id for key, id in threads.items() if key in {one.key for one in numbers.strands}}.items() <= threads.items()
    with pytest.raises(Refused, match=f"there is no frame {frame} any more"):
        numbers.level(frame)
    assert numbers.frame(numbers.strands[0], 0) != frame
    with pytest.raises(Refused, match="there is no thread 99"):
        numbers.strand(99)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_requests_may_come_from_a_file_and_answers_go_to_one(loop: str, tmp_path: pathlib.Path) -> None:
    requests: list[dict[str, Any]] = [{"command": "initialize", "arguments": {"adapterID": "x"}}, {"command": "threads"}]
    (tmp_path / "in").write_bytes(b"".join(encode({"type": "request", "seq": seq, **one}) for seq, one in enumerate(requests, 1)))
    with (tmp_path / "in").open("rb") as stdin, (tmp_path / "out").open("wb") as stdout:
        subprocess.run(
            [*program.COMMAND, "debug", "--dap", "--stdio", "--loop", loop],
            stdin=stdin,
            stdout=stdout,
            timeout=60,
            check=True,
            env=os.environ,
        )
    messages = Decoder().feed((tmp_path / "out").read_bytes())
    assert [(one["command"], one["success"]) for one in messages] == [("initialize", True), ("threads", False)]
