"""Options that do not go together, or are too many, are an error where the function is declared, and it says why."""

from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.options.combination import OPTIONS

BATCH = ig.Batch(10, "5s")


async def handler(ctx: ig.Context) -> None:
    pass


def declared(**options: Any) -> dict[str, Any]:
    return dict(ig.App("a").function("f", trigger="e", **options)(handler).options.flow)


def test_options_are_kept_by_name() -> None:
    options: dict[str, Any] = {
        "throttle": ig.Throttle(1, "1m"), "rate_limit": ig.RateLimit(1, "1m"), "debounce": ig.Debounce("1m"), "priority": "event.data.rank",
        "singleton": ig.Singleton(), "timeouts": ig.Timeouts(start="1m"),
    }  # fmt: skip
    assert declared(**options) == options
    assert declared(batch=BATCH) == {"batch": BATCH}
    assert declared(idempotency="event.data.id") == {"idempotency": "event.data.id"}
    assert declared() == {}
    assert declared(**dict.fromkeys(OPTIONS - {"cancel_on"}), cancel_on=()) == {}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (5, (ig.Concurrency(5),)),
        (ig.Concurrency(5, of="runs"), (ig.Concurrency(5, of="runs"),)),
        ([5, ig.Concurrency(1, "event.data.x")], (ig.Concurrency(5), ig.Concurrency(1, "event.data.x"))),
        (
            [ig.Concurrency(1), ig.Concurrency(2, "event.x"), ig.Concurrency(3, of="runs")],
            (ig.Concurrency(1), ig.Concurrency(2, "event.x"), ig.Concurrency(3, of="runs")),
        ),
    ],
)
def test_concurrency_is_kept_as_a_tuple(given: Any, kept: tuple[ig.Concurrency, ...]) -> None:
    assert declared(concurrency=given) == {"concurrency": kept}


def test_cancel_on_is_kept_as_a_tuple() -> None:
    assert declared(cancel_on=ig.CancelOn("x")) == declared(cancel_on=[ig.CancelOn("x")]) == {"cancel_on": (ig.CancelOn("x"),)}
    assert len(declared(cancel_on=[ig.CancelOn(f"x{number}") for number in range(5)])["cancel_on"]) == 5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"concurrency": 0}, "Concurrency.limit is a whole number of at least 1, not 0"),
        ({"concurrency": "5"}, "the concurrency of function 'f' is a whole number, ig.Concurrency(...) or a list of those, not '5'"),
        ({"concurrency": []}, "the concurrency of function 'f' is a whole number"),
        ({"concurrency": [1, 2, 3]}, "function 'f' declares more than 2 limits to the concurrency of steps"),
        ({"concurrency": [ig.Concurrency(1, of="runs")] * 2}, "function 'f' declares more than one limit to the concurrency of runs"),
        ({"cancel_on": [ig.CancelOn("x")] * 6}, "function 'f' declares 6 events that cancel it; there may be 5"),
        ({"cancel_on": "x"}, "the cancel_on of function 'f' is a list of ig.CancelOn(...), not 'x'"),
        ({"throttle": 5}, "the throttle of function 'f' is ig.Throttle(...), not 5"),
        ({"rate_limit": ig.Throttle(1, "1s")}, "the rate_limit of function 'f' is ig.RateLimit(...), not Throttle("),
        ({"priority": 5}, "the priority of function 'f' is an expression"),
        (
            {"idempotency": "{{ event.data.id }}"},
            "the idempotency of function 'f' is an expression such as 'event.data.user_id', without {{ }}",
        ),
    ],
)
def test_what_is_no_option_is_refused_with_its_function(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ig.ConfigError) as caught:
        declared(**options)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ({"batch": BATCH}, {"cancel_on": [ig.CancelOn("x")]}, "the server refuses both"),
        ({"batch": BATCH}, {"debounce": ig.Debounce("1m")}, "the server refuses both"),
        ({"batch": BATCH}, {"singleton": ig.Singleton()}, "the server refuses both"),
        ({"batch": BATCH}, {"priority": "event.data.rank"}, "the server refuses both"),
        ({"batch": BATCH}, {"rate_limit": ig.RateLimit(1, "1m")}, "without regard to the limit"),
        ({"batch": BATCH}, {"idempotency": "event.data.id"}, "without regard to the key"),
        ({"idempotency": "event.data.id"}, {"rate_limit": ig.RateLimit(1, "1m")}, "would replace the other"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_reason(one: dict[str, Any], other: dict[str, Any], why: str) -> None:
    with pytest.raises(
        ig.ConfigError, match=f"function 'f' declares {next(iter(one))} and {next(iter(other))}, which do not go together: .*{why}"
    ):
        declared(**other, **one)


def test_an_option_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(TypeError, match="function 'f' got options that do not exist: throtle; there are: batch, cancel_on,"):
        declared(throtle=ig.Throttle(1, "1s"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch": BATCH}, "deferred function 'd' cannot batch: each defer starts a run of its own"),
        ({"trigger": "e"}, "deferred function 'd' has no trigger: runs that defer it start it"),
        ({"concurrency": "x"}, "the concurrency of deferred function 'd' is"),
    ],
)
def test_a_deferred_function_has_neither_trigger_nor_batch(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ig.ConfigError, match=sentence):
        ig.App("a").deferred("d", **options)


@pytest.mark.parametrize(
    ("trigger", "sentence"),
    [
        ([f"e{number}" for number in range(11)], "a function has at most 10 triggers, not 11"),
        (["e", "e"], "a function has the same trigger twice: 'e'"),
        (["e", ig.EventTrigger("e")], "a function has the same trigger twice: 'e'"),
        ([ig.Cron("0 9 * * 1"), ig.Cron("0 9 * * 1", jitter="1m")], "a function has the same trigger twice: '0 9 \\* \\* 1'"),
        ([5], "a trigger is an event's name, ig.EventTrigger, ig.Cron or ig.EventType, not 5"),
    ],
)
def test_triggers_are_up_to_ten_and_differ(trigger: Any, sentence: str) -> None:
    with pytest.raises(ig.ConfigError, match=sentence):
        ig.App("a").function("f", trigger=trigger)(handler)


def test_one_event_may_trigger_under_several_conditions() -> None:
    triggers = [
        "e",
        ig.EventTrigger("e", "event.data.x > 1"),
        ig.EventTrigger("e", "event.data.x < 1"),
        ig.Cron("0 9 * * 1"),
        ig.Cron("0 9 * * 2"),
    ]
    assert len(ig.App("a").function("f", trigger=triggers)(handler).options.triggers) == 5
