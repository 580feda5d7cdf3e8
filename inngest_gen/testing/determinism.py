"""Checks that a handler does the same whenever and wherever it is replayed: after each prefix of its history, in every order of its branches, in
another process.

Promises: what was looked at is in the report, and what was left out. Refuses: to run a body twice for the same arguments in all of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inngest_gen.app.app import App
from inngest_gen.app.function import Function
from inngest_gen.event import Event
from inngest_gen.testing.elsewhere import place_of, stops_elsewhere
from inngest_gen.testing.failures import CheckFailed, ReplayMismatch, is_found
from inngest_gen.testing.given import At
from inngest_gen.testing.orders import Following, Outcomes
from inngest_gen.testing.result import Result
from inngest_gen.testing.running import prepared
from inngest_gen.testing.standins import Functions, Steps
from inngest_gen.testing.stops import Stop, difference, replayed

__tracebackhide__ = is_found  # for pytest: what the kit finds is shown at the test's line


@dataclass(frozen=True, slots=True, kw_only=True)
class Determinism:
    """What `check_determinism` has looked at.

    `result` is the run in the usual order. `prefixes` counts the histories it was rebuilt from, `orders` the orders in which its branches finished;
    `complete` says whether those are all. `results` has one run for each way in which it ended: several are no mistake where branches race.
    `elsewhere` says in which other process it was rebuilt, or why not.
    """

    result: Result
    prefixes: int
    orders: int
    complete: bool
    results: tuple[Result, ...]
    elsewhere: str


async def check_determinism(
    function: Any,
    event: Any = None,
    *,
    app: App | Sequence[App] | None = None,
    steps: Steps | None = None,
    functions: Functions | None = None,
    events: Sequence[Event | At] = (),
    start: datetime | str | None = None,
    allow_unused: bool = False,
    max_orders: int = 100,
    elsewhere: bool | None = None,
) -> Determinism:
    """Run a function as `run` does, and then check that it is deterministic. Raises ReplayMismatch where it is not.

    Its handler is rebuilt from every prefix of its history; all is run again in every order in which bodies, sleeps and waits that are under way
    together can finish, at most `max_orders`; and every prefix is rebuilt in another process, under the other event loop and with another hash seed.
    `elsewhere` True: the handler must be importable there; None: that is left out where it is not; False: always. The rest is as for `run`.
    """
    options = {"steps": steps, "functions": functions, "events": events, "start": start, "allow_unused": allow_unused}
    outcomes = Outcomes()
    own, result, stops, first = await _play(function, app, event, options, (), outcomes)
    for stop in stops:
        _compare(own, stop, await replayed(own, result.recording, stop), f"after its run, with {stop.results} of its results")
    seen, complete = await _all_orders(function, app, event, options, outcomes, first, result, max_orders)
    return Determinism(
        result=result,
        prefixes=len(stops),
        orders=len(seen),
        complete=complete,
        results=tuple({_ending(one): one for one in reversed(seen)}.values())[::-1],
        elsewhere=await _elsewhere(own, result, stops, wanted=elsewhere),
    )


async def _play(
    function: Any, app: App | Sequence[App] | None, event: Any, options: dict[str, Any], told: tuple[int, ...], outcomes: Outcomes
) -> tuple[Function, Result, list[Stop], Following]:
    director = Following(told)
    engine, own = prepared(function, app, director=director, **options)
    engine.outcomes = outcomes
    engine.stops = {}
    async with engine:
        playing = engine.play(own, event)
        result = await playing.finish()
        return own, result, list(engine.stops.get(playing.number, {}).values()), director


async def _all_orders(
    function: Any,
    app: App | Sequence[App] | None,
    event: Any,
    options: dict[str, Any],
    outcomes: Outcomes,
    first: Following,
    result: Result,
    max_orders: int,
) -> tuple[list[Result], bool]:
    seen = [result]
    todo = list(first.others())
    while todo and len(seen) < max_orders:
        told = todo.pop(0)
        try:
            _, other, _, director = await _play(function, app, event, {**options, "allow_unused": True}, told, outcomes)
        except CheckFailed as error:
            error.add_note(f"in an order of the branches in which the choices were {told}; the order in which nothing is late passed")
            raise
        seen.append(other)
        todo.extend(director.others())
    return seen, not todo


async def _elsewhere(own: Function, result: Result, stops: Sequence[Stop], *, wanted: bool | None) -> str:
    if wanted is False:
        return "not wanted"
    place = place_of(own)
    if place is None:
        if wanted:
            raise CheckFailed(
                f"the handler of {own.id!r} cannot be imported by another process: it is made inside a function, or in __main__"
            )
        return "the handler cannot be imported by another process: it is made inside a function, or in __main__"
    where, found = await stops_elsewhere(place, result.recording, stops)
    for stop, other in zip(stops, found, strict=True):
        _compare(own, stop, other, f"{where}, with {stop.results} of its results")
    return where


def _compare(own: Function, live: Stop, again: Stop, when: str) -> None:
    found = difference(live, again)
    if found is not None:
        at = again.asked[0].at if again.asked else None
        raise ReplayMismatch(f"{own.id}: the handler does something else when it is rebuilt {when}\n  {found}", where=at)


def _ending(result: Result) -> str:
    return f"{result.status} {result.output if result.status == 'completed' else None!r} {result.error}"
