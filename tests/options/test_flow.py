"""Each flow-control option is checked where it is written, against the server's own limits."""

from datetime import timedelta
from typing import Any

import pytest

import inngest_gen as ig

FINE: list[tuple[type, dict[str, Any]]] = [
    (ig.Concurrency, {"limit": 1}),
    (ig.Concurrency, {"limit": 5, "key": "event.data.user"}),
    (ig.Concurrency, {"limit": 5, "key": '"openai"', "scope": "env"}),
    (ig.Concurrency, {"limit": 5, "key": '"openai"', "scope": "account"}),
    (ig.Concurrency, {"limit": 5, "of": "runs"}),
    (ig.Concurrency, {"limit": 5, "key": "event.data.user", "of": "runs"}),
    (ig.Throttle, {"limit": 1, "period": "1s"}),
    (ig.Throttle, {"limit": 1, "period": 90, "burst": 3, "key": "event.data.user"}),
    (ig.RateLimit, {"limit": 1, "period": "24h"}),
    (ig.RateLimit, {"limit": 1, "period": timedelta(days=1), "key": "event.data.user"}),
    (ig.Debounce, {"period": "1s"}),
    (ig.Debounce, {"period": "7d", "key": "event.data.user", "timeout": "30d"}),
    (ig.Batch, {"max_size": 2, "timeout": "1s"}),
    (ig.Batch, {"max_size": 100, "timeout": 60, "key": "event.data.user", "if_": "event.data.bulk == true"}),
    (ig.Singleton, {}),
    (ig.Singleton, {"key": "event.data.user", "mode": "cancel"}),
    (ig.Timeouts, {"start": "10m"}),
    (ig.Timeouts, {"start": 0.5}),
    (ig.Timeouts, {"start": "10m", "finish": "2d"}),
    (ig.CancelOn, {"event": "order/cancelled"}),
    (ig.CancelOn, {"event": "order/cancelled", "match": "data.id", "timeout": "30d"}),
    (ig.CancelOn, {"event": "order/cancelled", "if_": "event.data.id == async.data.id"}),
    (ig.EventTrigger, {"name": "x" * 255, "if_": "event.data.x > 1"}),
    (ig.Cron, {"expression": "0 9 * * 1", "jitter": "5m"}),
]

WRONG: list[tuple[type, dict[str, Any], str]] = [
    (ig.Concurrency, {"limit": 0}, "Concurrency.limit is a whole number of at least 1, not 0"),
    (ig.Concurrency, {"limit": True}, "Concurrency.limit is a whole number"),
    (ig.Concurrency, {"limit": 1.5}, "Concurrency.limit is a whole number"),
    (ig.Concurrency, {"limit": 1, "key": ""}, "Concurrency.key is an expression such as 'event.data.user_id', not ''"),
    (
        ig.Concurrency,
        {"limit": 1, "key": "{{ event.data.x }}"},
        "Concurrency.key is an expression such as 'event.data.user_id', without {{ }}",
    ),
    (ig.Concurrency, {"limit": 1, "scope": "app"}, 'Concurrency.scope is "fn", "env" or "account", not \'app\''),
    (ig.Concurrency, {"limit": 1, "scope": "env"}, "Concurrency with the scope 'env' needs a key"),
    (ig.Concurrency, {"limit": 1, "of": "functions"}, 'Concurrency.of is "steps" or "runs", not'),
    (
        ig.Concurrency,
        {"limit": 1, "key": "event.x", "scope": "env", "of": "runs"},
        'Concurrency of "runs" counts those of its own function',
    ),
    (ig.Throttle, {"limit": 0, "period": "1s"}, "Throttle.limit is a whole number"),
    (ig.Throttle, {"limit": 1, "period": "999ms"}, "Throttle.period is at least 1 second, not '999ms'"),
    (ig.Throttle, {"limit": 1, "period": "1s", "burst": 0}, "Throttle.burst is a whole number of at least 1"),
    (ig.Throttle, {"limit": 1, "period": "soon"}, "Throttle.period: 'soon' is no duration"),
    (ig.RateLimit, {"limit": 1, "period": 0}, "RateLimit.period must be longer than 0"),
    (ig.RateLimit, {"limit": 1, "period": 86_401}, "RateLimit.period is at most 24 hours, not 86401"),
    (ig.Debounce, {"period": "8d"}, "Debounce.period is at most 7 days, not '8d'"),
    (ig.RateLimit, {"limit": 1, "period": None}, "RateLimit.period is at least 1 second, not None"),
    (ig.Debounce, {"period": "1m", "timeout": "0s"}, "Debounce.timeout must be longer than 0"),
    (ig.Batch, {"max_size": 1, "timeout": "1s"}, "Batch.max_size is a whole number of at least 2, not 1"),
    (ig.Batch, {"max_size": 2, "timeout": "0.5s"}, "Batch.timeout is at least 1 second"),
    (ig.Batch, {"max_size": 2, "timeout": "1s", "if_": 5}, "Batch.if_ is an expression"),
    (ig.Singleton, {"mode": "queue"}, 'Singleton.mode is "skip" or "cancel", not \'queue\''),
    (ig.Timeouts, {}, "Timeouts needs start, finish or both"),
    (ig.Timeouts, {"finish": 0}, "Timeouts.finish must be longer than 0"),
    (ig.CancelOn, {"event": ""}, "CancelOn names an event: a non-empty string, not ''"),
    (ig.CancelOn, {"event": "e", "if_": "event.x", "match": "data.x"}, "CancelOn takes if_ or match, not both"),
    (ig.CancelOn, {"event": "e", "match": ""}, "CancelOn.match is a path such as 'data.order_id', not ''"),
    (ig.CancelOn, {"event": "e", "timeout": timedelta(0)}, "CancelOn.timeout must be longer than 0"),
    (ig.EventTrigger, {"name": "é" * 128}, "of a trigger is longer than 255 bytes"),
    (ig.EventTrigger, {"name": "e", "if_": " "}, "EventTrigger.if_ is an expression"),
    (ig.Cron, {"expression": "* * * * *", "jitter": "301s"}, "Cron.jitter is 1 second to 5 minutes, not '301s'"),
    (ig.Cron, {"expression": "* * * * *", "jitter": 0.5}, "Cron.jitter is 1 second to 5 minutes"),
    (ig.Cron, {"expression": "* * * * *", "jitter": "soon"}, "Cron.jitter: 'soon' is no duration"),
]


@pytest.mark.parametrize(("option", "values"), FINE)
def test_values_in_range_are_kept_as_they_were_given(option: type, values: dict[str, Any]) -> None:
    made = option(**values)
    assert {name: getattr(made, name) for name in values} == values
    assert made == option(**values)
    assert hash(made) == hash(option(**values))


@pytest.mark.parametrize(("option", "values", "sentence"), WRONG)
def test_values_out_of_range_are_refused_with_the_limit(option: type, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ig.ConfigError) as caught:
        option(**values)
    assert sentence in str(caught.value)
