"""What a step demands when the handler comes to it: that a body runs here, or of the store to wait for something or to send something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inngest_gen import jsonvalue
from inngest_gen.driver.body import check_size
from inngest_gen.engine.record import Record
from inngest_gen.engine.sent import checked_event
from inngest_gen.engine.store.tables import Tables
from inngest_gen.engine.transitions import Change, Effects, Paused, Transitions
from inngest_gen.errors import UnsupportedOption
from inngest_gen.event import Event
from inngest_gen.intents.http import AIInfer, Fetch
from inngest_gen.intents.step import Invoke, Run, SendEvent, SendSignal, Sleep, SleepUntil, Step, WaitForEvent, WaitForSignal
from inngest_gen.sessions import folded_meta


@dataclass(frozen=True, slots=True)
class Wait:
    """It waits: `change` writes down for what. `due` is when the wait ends by itself, in epoch seconds."""

    change: Change
    due: float | None


@dataclass(frozen=True, slots=True)
class Send:
    """It sends something, and has its result in the same commit: `change` leaves it in the effects' `result`."""

    change: Change


def body_of(step: Step[Any]) -> Run[Any] | None:
    """Give what runs here for a step, None where nothing does. Requests that an Inngest server would make are made here."""
    if isinstance(step, Run):
        return step
    if isinstance(step, (Fetch, AIInfer)):
        from inngest_gen.net.gateway import ask  # httpx is heavy

        return Run(step.id, step.name, ask, (step,))
    return None


def demand_of(step: Step[Any], hash: str, record: Record, transitions: Transitions, now: float) -> Wait | Send:
    """Give what a step demands. Raises InngestGenError or TypeError where it cannot be had: the step fails with that."""
    run = record.run
    match step:
        case Sleep():
            return _sleep(run, hash, now + step.duration_s)
        case SleepUntil():
            return _sleep(run, hash, step.until)
        case WaitForEvent():
            if step.if_ is not None:
                raise UnsupportedOption(record.function, "wait_for_event(if_=...)")
            due, event, match = now + step.timeout_s, step.event, step.match
            return Wait(lambda tx, effects: transitions.wait_for_event(tx, record, hash, event, match, due, effects), due)
        case WaitForSignal():
            due, signal, replace = now + step.timeout_s, step.signal, step.on_conflict == "replace"
            return Wait(
                lambda tx, effects: transitions.wait_for_signal(tx, run, hash, signal, replace=replace, due=due, effects=effects), due
            )
        case Invoke():
            return _invoke(step, hash, record, transitions, now)
        case SendSignal():
            return _send_signal(step, transitions)
        case SendEvent():
            return Send(send_event(step.events, record, transitions, now)[0])
        case _:
            raise UnsupportedOption(record.function, step.kind)


def _sleep(run: int, hash: str, due: float) -> Wait:
    def change(tx: Tables, effects: Effects) -> None:
        tx.pause(run, hash, "sleep", due)
        effects.then.append(Paused(due, run))

    return Wait(change, due)


def _invoke(step: Invoke[Any], hash: str, record: Record, transitions: Transitions, now: float) -> Wait:
    data = jsonvalue.encode({} if step.data is None else step.data, f"the data of {step.kind} {step.id!r}")
    told = folded_meta(step.meta, record.inherited)
    meta = None if told is None else jsonvalue.encode(told, f"the meta of {step.kind} {step.id!r}")
    if not data.startswith(b"{"):
        raise TypeError(f"the data of {step.kind} {step.id!r} must be a JSON object (a dict), not {type(step.data).__name__}")
    check_size(f"the data of {step.kind} {step.id!r}", data)
    due = None if step.timeout_s is None else now + step.timeout_s
    slug = step.function
    return Wait(lambda tx, effects: transitions.invoke(tx, record, hash, slug, data, meta, due, effects), due)


def _send_signal(step: SendSignal, transitions: Transitions) -> Send:
    signal = step.signal
    value = jsonvalue.decode(jsonvalue.encode(step.data, f"the data of {step.kind} {step.id!r}"))

    def change(tx: Tables, effects: Effects) -> None:
        effects.result = transitions.signal(tx, signal, value, effects)

    return Send(change)


def send_event(events: Sequence[Event], record: Record, transitions: Transitions, now: float) -> tuple[Change, list[str]]:
    """Give the change that sends events, and the ids that they will have. Raises InngestGenError for what cannot be sent."""
    sent = [
        checked_event(
            Event(
                event.name,
                event.data,
                id=transitions.new_id(now) if event.id is None else event.id,
                ts=event.ts,
                meta=folded_meta(event.meta, record.inherited),
            )
        )
        for event in events
    ]
    ids = [one.event.id or "" for one in sent]

    def change(tx: Tables, effects: Effects) -> None:
        transitions.receive(tx, sent, record.origin, effects=effects)
        effects.result = ids

    return change, ids
