"""Ids agree with Inngest's, byte for byte, and those made here are ever greater."""

import hashlib
import math
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen import ids
from inngest_gen.ids import abort_hash, deferred_event_id, new_id, seed, step_hash, ulid_time

RUN = "01GQ3HTEZ01M7R8Z9PR1DMHDN1"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last", 0)


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        ("foo", "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33"),  # A02
        ("send", "37ed539c0cef13959abd980bebf30f4922f606e3"),
        ("my-step-id", "e7d8a2f140845095749d60246ff1110c9d01d76a"),  # C20
        ("my-step-id:1", "f47c6228c581af870aa285200cf95ec3ac59bb6a"),
        ("my-step-id:2", "5fdb32cd3e6e3d62fa480ac2ad526b79c2682845"),
        ("complete", "0737c22d3bfae812339732d14d8c7dbd6dc4e09c"),  # A11
    ],
)
def test_a_step_hash_is_inngests(key: str, hashed: str) -> None:
    assert step_hash(key) == hashed


@given(st.text())
def test_a_step_hash_is_the_sha_1_of_utf_8(key: str) -> None:
    assert step_hash(key) == hashlib.sha1(key.encode("utf-8"), usedforsecurity=False).hexdigest()


def test_an_id_with_a_lone_surrogate_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"the id 'a\\ud800' has a lone surrogate"):
        step_hash("a\ud800")


@pytest.mark.parametrize(
    ("key", "hashed"), [("foo", "be3f1d00dd44d7041469f6ad044b4d520b514d06"), ("send", "c8caba5fd45e052ec206809699935f3bfe1656b7")]
)
def test_the_hash_of_an_abort_is_inngests(key: str, hashed: str) -> None:
    """Behaviour A04."""
    assert abort_hash(step_hash(key)) == hashed


@pytest.mark.parametrize(("key", "event_id"), [("foo", "01GQ3HTEZ0R23Q05KVX8WM89AK"), ("send", "01GQ3HTEZ0ETEQCSEYDHDWDX3T")])
def test_the_event_of_a_deferred_run_has_the_id_that_inngests_server_gives_it(key: str, event_id: str) -> None:
    """Behaviours B26 and B27."""
    assert deferred_event_id(RUN, step_hash(key)) == event_id
    assert ulid_time(event_id) == ulid_time(RUN)


def test_a_new_id_is_a_ulid_of_its_moment() -> None:
    made = new_id(1_700_000_000.123)
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", made)
    assert ulid_time(made) == 1_700_000_000.123


@given(st.lists(st.floats(min_value=0, max_value=1e11), min_size=2, max_size=50))
def test_new_ids_are_ever_greater_even_when_the_clock_goes_backwards(times: list[float]) -> None:
    made = [new_id(t) for t in times]
    assert made == sorted(set(made))


@given(st.floats(min_value=0, max_value=281_474_976_710.0))
def test_a_ulid_tells_its_millisecond(t: float) -> None:
    ids._last = 0
    assert ulid_time(new_id(t)) == int(t * 1000) / 1000


def test_the_last_id_of_a_millisecond_is_followed_by_one_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last", (5000 << 80) + 2**80 - 1)
    assert new_id(5.0) == ids._write(5001 << 80)
    assert ulid_time(new_id(5.0)) == 5.001


def test_new_ids_are_unique_over_threads() -> None:
    made: list[list[str]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda mine=mine: mine.extend(new_id(1.7e9) for _ in range(2000))) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each for mine in made for each in mine}) == 8000
    assert all(mine == sorted(mine) for mine in made)


FORKS = """
import os
from inngest_gen.ids import new_id
new_id(1.7e9)
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, new_id(1.7e9).encode())
    os._exit(0)
os.wait()
print(os.read(read, 26).decode(), new_id(1.7e9))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a platform without fork")
def test_a_forked_child_does_not_repeat_its_parents_ids() -> None:
    # In a process of its own: this one may have threads.
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    child, parent = done.stdout.split()
    assert child[:10] == parent[:10]
    assert child[10:20] != parent[10:20]


@pytest.mark.parametrize("now", [-0.1, math.nan, math.inf, 2**48 / 1000])
def test_a_time_that_no_ulid_can_hold_is_refused(now: float) -> None:
    with pytest.raises(ValueError, match="is no time for an id"):
        new_id(now)


@pytest.mark.parametrize("text", ["", "run-1", RUN[:-1], RUN + "0", "8" + RUN[1:], RUN[:-1] + "U", RUN[:-1] + "I", RUN + "\n", "é" * 26])
def test_text_that_is_no_ulid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no ULID"):
        ulid_time(text)


def test_a_ulid_may_be_in_lower_case() -> None:
    assert ulid_time(RUN.lower()) == ulid_time(RUN)


def parts() -> Iterator[tuple[str | int, ...]]:
    yield from [(), ("",), ("a",), ("a", "bc"), ("ab", "c"), ("abc",), ("a", 1), ("a", 11), ("a", 1, 1), ("1:a",)]


def test_seeds_differ_by_run_and_parts_and_never_change() -> None:
    seeds = [seed(run, *each) for run in (RUN, "other") for each in parts()]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [seed(run, *each) for run in (RUN, "other") for each in parts()]
    assert all(0 <= each < 2**128 for each in seeds)
    # Written down: a release that changed it would change what running handlers have seen.
    expected = int.from_bytes(hashlib.sha256(b"26:01GQ3HTEZ01M7R8Z9PR1DMHDN14:uuid1:0").digest()[:16])
    assert seed(RUN, "uuid", 0) == expected
