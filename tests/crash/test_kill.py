"""`kill -9` at random moments: nothing acknowledged is lost, nothing finished runs again, what was deferred runs once."""

import pathlib
import random
import signal
import subprocess
import sys
from collections import defaultdict

import pytest

from inngest_gen.engine.store.reader import Reader

WORKER = pathlib.Path(__file__).with_name("worker.py")
# What must have been recorded before the step after it can begin.
BEFORE = {"check": "load", "pack-1": "check", "pack-2": "pack-1", "flaky": "pack-2", "ship": "flaky"}


@pytest.mark.timeout(0)
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_killed_process_loses_and_repeats_nothing(loop: str, tmp_path: pathlib.Path, soak: bool) -> None:
    kills = 200 if soak else 10
    count = kills * 4
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # shown when the test fails
    dice = random.Random(seed)
    killed = 0
    while killed < kills:
        with started(tmp_path, loop, count) as worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n", worker.communicate()[1]
            moment = dice.uniform(0.0, 0.25)
            try:
                worker.wait(moment)
            except subprocess.TimeoutExpired:
                worker.send_signal(signal.SIGKILL)
                killed += 1
            else:
                count += 4  # it was faster than the kill: give it more to do
                assert worker.returncode == 0, worker.communicate()[1]
    with started(tmp_path, loop, count) as worker:
        out, err = worker.communicate(timeout=600)
        assert out.splitlines()[-1:] == ["done"], err
    check(tmp_path, count)


def started(directory: pathlib.Path, loop: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), str(directory), loop, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check(directory: pathlib.Path, count: int) -> None:
    reader = Reader(directory / "crash.db")
    try:
        runs = reader.runs(limit=100_000)
    finally:
        reader.close()
    effects: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for line in (directory / "effects").read_text().splitlines():
        run_id, step, pid, attempt = line.split()
        effects[run_id].append((step, pid, int(attempt)))

    orders = [run for run in runs if run.function_id == "crash-order"]
    assert sorted(run.output for run in orders) == [[number, 3, "went"] for number in range(count)], (
        "each acknowledged order ran once, to its end"
    )
    for function in ("crash-receipt", "crash-audit"):
        of_orders = [run for run in runs if run.function_id == function]
        assert len(of_orders) == count, f"{function} ran once for each order"
        assert {run.status for run in of_orders} == {"completed"}
    receipts = sorted(run.output for run in runs if run.function_id == "crash-receipt")
    assert receipts == list(range(count)), "the right defers ran, and no aborted one"

    for run in orders:
        begun: set[str] = set()
        for step, _, _ in effects[run.id]:
            later = [other for other, before in BEFORE.items() if before == step and other in begun]
            assert not later, f"{step} of {run.id} ran again after {later} had begun, which proves that it had been recorded"
            begun.add(step)
        assert {"load", "check", "pack-1", "pack-2", "flaky", "ship"} <= begun
    for run in runs:
        for step in {step for step, _, _ in effects[run.id]}:
            pids = [pid for other, pid, attempt in effects[run.id] if other == step and (step != "flaky" or attempt > 0)]
            assert len(pids) == len(set(pids)), f"{step} of {run.id} ran twice in one process"


def test_the_check_sees_a_repeated_step(tmp_path: pathlib.Path) -> None:
    """The test above can fail: a finished step that runs again is seen."""
    with started(tmp_path, "asyncio", 2) as worker:
        worker.communicate(timeout=60)
    check(tmp_path, 2)
    file = tmp_path / "effects"
    first = file.read_text().splitlines()[0]
    file.write_text(file.read_text() + first.replace(first.split()[2], "1") + "\n")
    with pytest.raises(AssertionError, match="ran again"):
        check(tmp_path, 2)
