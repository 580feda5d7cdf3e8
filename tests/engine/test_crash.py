"""`kill -9` at random moments under load: nothing acknowledged is lost, nothing recorded runs again, what was deferred runs once.

Many runs are under way at once, in every kind of wait. A step may begin again only as the last of its branch that had begun when its process was
killed: whatever began after it proves that its result was on disk.
"""

import dataclasses
import itertools
import pathlib
import random
import threading
import time
from collections import Counter, defaultdict

import pytest

import inngest_gen as ig
from inngest_gen.engine.store.reader import Reader
from tests.engine.rig import all_of, program

PROGRAM = pathlib.Path(__file__).with_name("crashing.py")
Effects = dict[tuple[str, str], list[tuple[str, int, int]]]


class Life:
    """One process, fed with numbers; `acknowledged` are those it answered for."""

    def __init__(self, loop: str, directory: pathlib.Path, numbers: list[int]) -> None:
        self.acknowledged: list[int] = []
        self.lines: list[str] = []
        self.ready = threading.Event()
        self._numbers = numbers
        self._program = program(PROGRAM, loop, directory)

    def __enter__(self) -> "Life":
        self.process = self._program.__enter__()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.ready.wait(60), self.process.communicate()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self._reader.join(60)
        self._program.__exit__(None, None, None)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if line.startswith("ack"):
                self.acknowledged.append(int(line.split()[1]))
            self.ready.set()
        self.ready.set()

    def feed(self, until: float) -> None:
        """Give it numbers until a moment comes."""
        assert self.process.stdin is not None
        while time.monotonic() < until:
            number = len(self._numbers)
            self._numbers.append(number)
            self.process.stdin.write(f"{number}\n")
            self.process.stdin.flush()
            time.sleep(0.02)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_killed_process_loses_and_repeats_nothing(loop: str, tmp_path: pathlib.Path, soak: bool) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # shown when the test fails
    dice = random.Random(seed)
    numbers: list[int] = []
    acknowledged: list[int] = []
    for _ in range(200 if soak else 10):
        with Life(loop, tmp_path, numbers) as life:
            life.feed(time.monotonic() + dice.uniform(0, 0.3))
        acknowledged += life.acknowledged
    with Life(loop, tmp_path, numbers) as life:
        assert life.process.stdin is not None
        life.process.stdin.close()
        life._reader.join(60 if not soak else 600)
        assert life.lines[-1] == "done", life.process.stderr and life.process.stderr.read()
    reader = Reader(tmp_path / "crash.db")
    runs = reader.runs(limit=1_000_000)
    reader.close()
    check(runs, read(tmp_path), set(acknowledged), set(numbers))


def read(directory: pathlib.Path) -> Effects:
    """The bodies that began, by run and branch: (process, place in the branch, attempt)."""
    effects: Effects = defaultdict(list)
    for line in (directory / "effects").read_text().splitlines():
        match line.split():
            case [process, run, step, attempt, "begun"]:
                branch, place = step.split("/")
                effects[run, branch].append((process, int(place), int(attempt)))
            case _:  # torn by a kill
                pass
    assert effects
    return effects


def check(runs: list[ig.Run], effects: Effects, acknowledged: set[int], sent: set[int]) -> None:
    orders = {one.event.data["n"]: one for one in all_of(runs, "order")}
    assert acknowledged
    assert acknowledged <= set(orders) <= sent
    assert len(orders) == len(all_of(runs, "order"))
    for n, one in orders.items():
        assert (one.status, one.output) == ("completed", [n, "x/3", "y/3", "flaky", n, "main/2", 1]), one.error
    assert {one.status for one in runs} == {"completed"}
    assert Counter(one.function_id for one in runs) == {
        "crash-order": len(orders),
        "crash-audit": len(orders),
        "crash-callee": len(orders),
        "crash-note": 2 * len(orders),
    }
    assert Counter(tuple(one.output) for one in all_of(runs, "note")) == {(n, where): 1 for n in orders for where in ("handler", "body")}
    assert sorted(one.output for one in all_of(runs, "audit")) == sorted(orders)
    for (run, branch), bodies in effects.items():
        for (before, place, attempt), (after, next_place, next_attempt) in itertools.pairwise(bodies):
            where = f"branch {branch} of run {run}: {bodies}"
            assert (next_place, next_attempt) >= (place, attempt) or next_place > place, f"went back in {where}"
            if (next_place, next_attempt) == (place, attempt):
                assert before != after, f"ran twice in one process in {where}"
            else:
                assert next_place == place + 1 or (next_place == place and next_attempt == attempt + 1), f"left something out in {where}"
        assert bodies[0][1] == 1


class TestTheCheck:
    """It can fail."""

    def effects(self, *bodies: tuple[str, int, int]) -> Effects:
        return {("run", "main"): list(bodies)}

    def failing(self, *bodies: tuple[str, int, int]) -> str:
        one = ig.Run(
            id="run", function_id="crash-order", kind="event", status="completed", event=ig.Event("order", {"n": 0}),
            output=[0, "x/3", "y/3", "flaky", 0, "main/2", 1], error=None, attempt=0, steps=(), defers=(), notes=(), parent_run_id=None,
            created=None, started=None, ended=None,  # type: ignore[arg-type]
        )  # fmt: skip

        def other(function: str, output: object) -> ig.Run:
            return dataclasses.replace(one, function_id=f"crash-{function}", output=output)

        runs = [one, other("callee", None), other("audit", 0), other("note", [0, "handler"]), other("note", [0, "body"])]
        try:
            check(runs, self.effects(*bodies), {0}, {0})
        except AssertionError as error:
            return str(error).partition(" in branch")[0]
        return ""

    def test_it_passes_what_is_right(self) -> None:
        assert self.failing(("p1", 1, 0), ("p1", 2, 0), ("p2", 2, 0), ("p2", 2, 1), ("p2", 3, 0)) == ""

    @pytest.mark.parametrize(
        ("bodies", "words"),
        [
            ((("p1", 1, 0), ("p1", 2, 0), ("p2", 1, 0)), "went back"),
            ((("p1", 1, 0), ("p1", 1, 0)), "ran twice in one process"),
            ((("p1", 1, 0), ("p1", 3, 0)), "left something out"),
            ((("p1", 1, 1), ("p1", 1, 0)), "went back"),
        ],
    )
    def test_it_sees_what_is_wrong(self, bodies: tuple[tuple[str, int, int], ...], words: str) -> None:
        assert self.failing(*bodies).startswith(words)
