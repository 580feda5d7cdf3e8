"""Recordings of every version of the format replay identically for ever. A file in tests/recordings is never changed; a new version gets a new one."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Mark, as_json
from inngest_gen.debugger.verdict import check
from inngest_gen.recording.format import VERSION, dumps, loads
from inngest_gen.recording.recording import Recording

HOME = Path(__file__).parents[1] / "recordings"
KEPT = sorted(path.stem for path in HOME.glob("*-v*.json") if not path.stem.endswith(".stops"))


def opened(name: str) -> tuple[Recording, Any]:
    code = importlib.import_module(f"tests.recordings.{name.partition('-')[0]}")
    return loads((HOME / f"{name}.json").read_bytes()), code.app


def told(mark: Mark) -> dict[str, Any]:
    value: dict[str, Any] = as_json(mark)
    return {**value, "at": None if mark.at is None else mark.at.replace("\\", "/").rpartition("/")[2]}


@pytest.mark.parametrize("name", KEPT)
async def test_a_kept_recording_stops_where_it_always_has(name: str) -> None:
    recording, app = opened(name)
    expected = json.loads((HOME / f"{name}.stops.json").read_text())
    async with Session(recording, app) as session:
        # A stop may get more keys with time; those it has keep their meaning.
        assert [{key: told(mark)[key] for key in expected[0]} for mark in await session.trail()] == expected
        stop = await session.finish()
        assert stop.end is not None
        assert stop.end.as_recorded is True
        assert [(one.id, one.fate) for one in stop.lazy] == [(one.id, one.status) for one in recording.defers]
        for number in (len(expected) // 2, 1, 0):
            assert (await session.goto(number)).number == number


@pytest.mark.parametrize("name", KEPT)
async def test_a_kept_recording_is_compatible_with_the_code_that_made_it(name: str) -> None:
    verdict = await check(*opened(name))
    assert (verdict.compatible, verdict.notes, verdict.unused) == (True, (), ())


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_recording_is_written_as_one_of_the_newest_version(name: str) -> None:
    recording, _ = opened(name)
    assert loads(dumps(recording)) == recording


def test_there_is_one_of_every_version() -> None:
    versions = {json.loads((HOME / f"{name}.json").read_text())["version"] for name in KEPT}
    assert versions == set(range(1, VERSION + 1))
