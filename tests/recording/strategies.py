"""Recordings drawn by Hypothesis, and one that has something everywhere."""

from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import strategies as st

import inngest_gen as ig
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.request import Parent
from inngest_gen.recording.recording import RecordedAttempt, RecordedDefer, RecordedNote, RecordedStep, Recording

_text = st.text(st.characters(codec="utf-8"), max_size=8)
_some_text = _text.filter(bool)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_objects = st.dictionaries(_text, _values, max_size=3)
_json = _values.map(orjson.dumps)
_times = st.floats(0, 2e11).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
_maybe_times = st.none() | _times
_failures = st.builds(Failure, name=_some_text, message=_text, stack=st.none() | _text, no_retry=st.booleans())
_attempts = st.builds(RecordedAttempt, number=st.integers(0, 9), at=_maybe_times, error=_failures, retry_at=_maybe_times)


@st.composite
def _steps(draw: st.DrawFn) -> tuple[RecordedStep, ...]:
    count = draw(st.integers(0, 4))
    ranks = draw(st.permutations(range(count)))
    steps = []
    for place, rank in enumerate(ranks):
        outcome: dict[str, Any] = draw(
            st.fixed_dictionaries({"rank": st.just(rank), "data": _json})
            | st.fixed_dictionaries({"rank": st.just(rank), "error": _failures, "status": st.just("failed")})
            | st.fixed_dictionaries({"status": st.sampled_from(["running", "waiting", "abandoned"])})
        )
        id = draw(_some_text)
        steps.append(
            RecordedStep(
                id=id,
                name=draw(_some_text),
                hash=f"{place:040x}",
                index=draw(st.integers(0, 3)),
                kind=draw(st.none() | _some_text),
                position=draw(st.none() | st.integers(0, 99)),
                path=draw(_text),
                at=draw(st.none() | _text),
                options=draw(_objects),
                attempts=tuple(draw(st.lists(_attempts, max_size=2))),
                started=draw(_maybe_times),
                ended=draw(_maybe_times),
                due=draw(_maybe_times),
                **outcome,
            )
        )
    return tuple(steps)


_defers = st.builds(
    RecordedDefer,
    id=_some_text,
    hash=_text,
    name=_some_text,
    function=st.none() | _text,
    step=st.none() | _text,
    status=st.sampled_from(["after_run", "scheduled", "aborted", "rejected", "dropped"]),
    reason=st.none() | _text,
    run_id=st.none() | _text,
    data=st.none() | _json,
    meta=_values,
    experiment=_values,
)

recordings = st.builds(
    Recording,
    run_id=_text,
    function=_text,
    app=st.none() | _text,
    kind=st.sampled_from(["event", "invoke", "defer", "failure"]),
    status=st.sampled_from(["queued", "running", "completed", "failed", "cancelled", "blocked"]),
    events=st.lists(
        st.builds(
            ig.Event, _some_text, _objects, id=st.none() | _some_text, ts=st.none() | st.integers(0, 2**50), meta=st.none() | _objects
        ),
        max_size=2,
    ).map(tuple),
    parents=st.lists(st.builds(Parent, _text, _text, _values), max_size=2).map(tuple),
    failure=st.none() | _failures,
    parent_run_id=st.none() | _text,
    sessions=_objects,
    attempt=st.integers(0, 20),
    max_attempts=st.none() | st.integers(1, 21),
    code=st.none() | st.dictionaries(_text, _text, max_size=2),
    steps=_steps(),
    defers=st.lists(_defers, max_size=2).map(tuple),
    notes=st.lists(st.builds(RecordedNote, kind=_text, at=_maybe_times, text=_text), max_size=2).map(tuple),
    output=st.none() | _json,
    error=st.none() | _failures,
    created=_maybe_times,
    started=_maybe_times,
    ended=_maybe_times,
    redacted=st.lists(_text, max_size=2).map(tuple),
    made_by=_text,
)

WHEN = datetime(2026, 11, 29, 16, 0, 0, 250_000, tzinfo=UTC)

FULL = Recording(
    run_id="01KB82PJYQ0000000000000000",
    function="shop-order",
    app="shop",
    status="failed",
    events=(ig.Event("order/placed", {"email": "ada@example.com", "lines": [{"sku": "a", "price": 7}], "a.b": 1}, id="e", ts=1),),
    steps=(
        RecordedStep(id="load", hash="a" * 40, name="load", kind="step.run", position=0, rank=2, data=b'{"card":"4111","ok":true,"sum":9.5}'),
        RecordedStep(
            id="charge", hash="b" * 40, name="charge", kind="step.run", position=1, rank=1, status="failed",
            error=Failure(name="Declined", message="card 4111 declined"),
            attempts=(RecordedAttempt(number=0, at=WHEN, error=Failure(name="Declined", message="card 4111 declined")),),
        ),
        RecordedStep(id="cool-off", hash="c" * 40, name="cool-off", kind="step.sleep", position=2, options={"duration_s": 60}, status="waiting", due=WHEN),
    ),
    defers=(RecordedDefer(id="mail", hash="d" * 40, name="mail", function="shop-mail", data=b'{"to":"ada@example.com"}', status="scheduled", run_id="r"),),
    notes=(RecordedNote(kind="handler", at=WHEN, text="attempt 0 of the handler failed: ada@example.com"),),
    error=Failure(name="StepError", message="card 4111 declined"),
    created=WHEN,
)  # fmt: skip
