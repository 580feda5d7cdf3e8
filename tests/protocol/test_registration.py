"""Registration: entries, bodies and replies as the server and the reference SDK have them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.options.flow import Batch, CancelOn, Concurrency, Debounce, RateLimit, Singleton, Throttle, Timeouts
from inngest_gen.options.trigger import Cron, EventTrigger, EventType
from inngest_gen.protocol.call import BadCall
from inngest_gen.protocol.registration import (
    AppEntry,
    FunctionEntry,
    Kind,
    asks_in_band,
    deploy_id,
    function_url,
    in_band_reply,
    in_band_url,
    register_body,
    registered_reply,
)
from inngest_gen.protocol.sdk import SDK
from tests.protocol.captured import exchanges

URL = "https://example.com/api/inngest"


def entry(**fields: Any) -> dict[str, Any]:
    return FunctionEntry(**{"slug": "shop-order", "name": "Order", **fields}).wire(URL)


def option(name: str, value: Any) -> Any:
    plain, with_option = entry(), entry(flow={name: value})
    (added,) = with_option.keys() - plain.keys()
    return added, with_option[added]


# Golden: what the reference SDK registered.


def _read(theirs: Any) -> FunctionEntry:
    """Make the entry of a recorded one."""
    names = {one.get("event") for one in theirs["triggers"]}
    kind: Kind = "defer" if "inngest/deferred.schedule" in names else "failure" if "inngest/function.failed" in names else "main"
    return FunctionEntry(
        slug=theirs["id"],
        name=theirs["name"],
        kind=kind,
        triggers=[EventTrigger(one["event"], if_=one.get("expression")) for one in theirs["triggers"]],
        retries=theirs["steps"]["step"].get("retries", {}).get("attempts"),
    )


def test_the_registered_functions_are_those_of_the_reference_sdk() -> None:
    registered = [one for one in exchanges("js-sync") if one.path == "/fn/register"]
    assert len(registered) == 2
    for one in registered:
        theirs = one.json
        assert len(theirs["functions"]) == 35
        app = AppEntry(
            id=theirs["appName"], url=theirs["url"], framework="express", functions=[_read(each) for each in theirs["functions"]]
        )
        ours = orjson.loads(register_body(app))
        assert ours["functions"] == theirs["functions"]
        ours_else = {key: ours[key] for key in ("url", "deployType", "framework", "appName", "v")}
        assert ours_else == {key: theirs[key] for key in ours_else}


# Entries: E36 to E40, A71.


def test_a_function_without_options_says_nothing_of_them() -> None:
    assert entry() == {
        "id": "shop-order", "name": "Order", "triggers": [],
        "steps": {"step": {"id": "step", "name": "step", "runtime": {"type": "http", "url": f"{URL}?fnId=shop-order&stepId=step"}}},
    }  # fmt: skip


def test_retries_are_told_where_they_are_known() -> None:
    assert entry(retries=0)["steps"]["step"]["retries"] == {"attempts": 0}


def test_triggers_are_events_schedules_and_typed_events() -> None:
    triggers = [
        EventTrigger("a/b"),
        EventTrigger("a/*", if_="event.data.x > 1"),
        Cron("0 9 * * 1"),
        Cron("TZ=Europe/Paris 0 9 * * 1", jitter="90s"),
    ]
    assert entry(triggers=[*triggers, EventType("typed", dict)])["triggers"] == [
        {"event": "a/b"},
        {"event": "a/*", "expression": "event.data.x > 1"},
        {"cron": "0 9 * * 1"},
        {"cron": "TZ=Europe/Paris 0 9 * * 1", "jitter": "1m30s"},
        {"event": "typed"},
    ]


def test_being_invoked_is_no_trigger_or_any_invoke_would_start_it() -> None:
    """Behaviour E39."""
    assert entry(triggers=[EventTrigger("inngest/function.invoked"), EventTrigger("a")])["triggers"] == [{"event": "a"}]


def test_a_failure_handler_starts_on_the_failure_of_its_function() -> None:
    """Behaviours E37, K08."""
    found = entry(slug="shop-order-failure", name="Order (failure)", kind="failure", retries=1, triggers=[EventTrigger("never")])
    assert found["id"] == "shop-order-failure"
    assert found["triggers"] == [{"event": "inngest/function.failed", "expression": "event.data.function_id == 'shop-order'"}]
    assert found["steps"]["step"]["runtime"]["url"] == f"{URL}?fnId=shop-order-failure&stepId=step"
    assert found["steps"]["step"]["retries"] == {"attempts": 1}


def test_a_deferred_function_starts_on_its_own_slug() -> None:
    """Behaviour A71."""
    found = entry(kind="defer")
    assert found["triggers"] == [{"event": "inngest/deferred.schedule", "expression": "event.data._inngest.fn_slug == 'shop-order'"}]


def test_a_quote_in_a_slug_stays_within_the_expression() -> None:
    assert entry(slug="it's\\-x", kind="defer")["triggers"][0]["expression"] == r"event.data._inngest.fn_slug == 'it\'s\\-x'"


def test_a_worker_is_registered_as_one() -> None:
    """Behaviour E40."""
    assert FunctionEntry(slug="a-b", name="b").wire("wss://connect", runtime="ws")["steps"]["step"]["runtime"]["type"] == "ws"


# Options: every one, with the server's spelling and units.


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("concurrency", 5, ("concurrency", 5)),
        ("concurrency", Concurrency(5), ("concurrency", [{"limit": 5, "scope": "fn"}])),
        (
            "concurrency",
            [Concurrency(5), Concurrency(9, key="event.data.user", scope="account")],
            ("concurrency", [{"limit": 5, "scope": "fn"}, {"limit": 9, "key": "event.data.user", "scope": "account"}]),
        ),
        ("throttle", Throttle(2, "1d"), ("throttle", {"limit": 2, "period": "1d", "burst": 1})),
        ("throttle", Throttle(2, 90, burst=3, key="event.data.u"), ("throttle", {"limit": 2, "period": "1m30s", "burst": 3, "key": "event.data.u"})),
        ("rate_limit", RateLimit(1, "24h"), ("rateLimit", {"limit": 1, "period": "1d"})),
        ("rate_limit", RateLimit(1, 60, key="event.data.u"), ("rateLimit", {"limit": 1, "period": "1m", "key": "event.data.u"})),
        ("debounce", Debounce("10s"), ("debounce", {"period": "10s"})),
        ("debounce", Debounce("10s", key="k", timeout="1h"), ("debounce", {"period": "10s", "key": "k", "timeout": "1h"})),
        ("priority", "event.data.plan == 'pro' ? 120 : 0", ("priority", {"run": "event.data.plan == 'pro' ? 120 : 0"})),
        ("batch", Batch(10, "90s"), ("batchEvents", {"maxSize": 10, "timeout": "1m30s"})),
        ("batch", Batch(10, "60s", key="k", if_="event.data.b"), ("batchEvents", {"maxSize": 10, "timeout": "1m", "key": "k", "if": "event.data.b"})),
        ("idempotency", "event.data.order_id", ("idempotency", "event.data.order_id")),
        ("singleton", Singleton(), ("singleton", {"mode": "skip"})),
        ("singleton", Singleton(key="event.data.u", mode="cancel"), ("singleton", {"mode": "cancel", "key": "event.data.u"})),
        ("timeouts", Timeouts(start="10s"), ("timeouts", {"start": "10s"})),
        ("timeouts", Timeouts(start=0.5, finish="2h"), ("timeouts", {"start": "1s", "finish": "2h"})),
        (
            "cancel_on",
            [CancelOn("baz", match="data.title"), CancelOn("x", if_="async.data.y == 1", timeout="1h"), CancelOn("z")],
            (
                "cancel",
                [
                    {"event": "baz", "if": "event.data.title == async.data.title"},
                    {"event": "x", "timeout": "1h", "if": "async.data.y == 1"},
                    {"event": "z"},
                ],
            ),
        ),
    ],
)  # fmt: skip
def test_an_option_is_written_as_the_server_reads_it(name: str, value: Any, expected: Any) -> None:
    """Behaviours E36, E38; server: pkg/inngest/function.go."""
    assert option(name, value) == expected


@pytest.mark.parametrize("value", [None, ()])
def test_an_option_that_is_not_declared_is_not_written(value: Any) -> None:
    assert entry(flow={"cancel_on": value}) == entry()


@given(st.floats(min_value=1, max_value=1e6))
def test_a_batchs_timeout_has_only_units_that_go_knows(length: float) -> None:
    """Server: pkg/inngest/batch.go reads it with time.ParseDuration, which knows no day and no week."""
    text = option("batch", Batch(2, length))[1]["timeout"]
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    assert found is not None
    assert text
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    assert length - 0.001 <= hours * 3600 + minutes * 60 + rest < max(length, 0) + 1.001


# URLs.


@pytest.mark.parametrize("slug", ["shop-order", "a b", "ä/ö", "x?y&z=1#f", "100%", "emoji 😀", "'\"<>"])
def test_any_slug_comes_back_from_the_url(slug: str) -> None:
    """Behaviour C84."""
    url = function_url(URL, slug)
    assert parse_qs(urlsplit(url).query) == {"fnId": [slug], "stepId": ["step"]}
    assert url.startswith(URL + "?")


def test_what_the_apps_url_has_in_its_query_is_kept_but_for_what_is_ours() -> None:
    """SDK_SPEC 4.3.2: the URL may hold a token, and must not hold a deployId."""
    url = function_url(f"{URL}?token=a%20b&empty=&fnId=other&deployId=5#x", "s")
    assert parse_qs(urlsplit(url).query, keep_blank_values=True) == {"token": ["a b"], "empty": [""], "fnId": ["s"], "stepId": ["step"]}
    assert "#" not in url


# Out of band: E32, E34.


APP = AppEntry(id="shop", url=URL, framework="asgi", functions=[FunctionEntry(slug="shop-order", name="Order")])


def test_the_body_that_registers_an_app() -> None:
    body = orjson.loads(register_body(APP))
    assert body == {
        "url": URL, "deployType": "ping", "framework": "asgi", "appName": "shop", "functions": [entry()], "sdk": SDK, "v": "0.1",
        "capabilities": {"in_band_sync": "v1", "trust_probe": "v1"},
    }  # fmt: skip
    versioned = AppEntry(id="shop", url=URL, framework="asgi", functions=[], version="1.2")
    body = orjson.loads(register_body(versioned, deploy="d1"))
    assert (body["deployId"], body["appVersion"]) == ("d1", "1.2")


@pytest.mark.parametrize(
    ("query", "id"), [({}, None), ({"deployId": ""}, None), ({"deployId": "undefined"}, None), ({"deployId": "d"}, "d")]
)
def test_the_deploys_id_is_in_the_query(query: dict[str, str], id: str | None) -> None:
    assert deploy_id(query) == id


def test_the_reply_tells_what_the_server_said() -> None:
    reply = registered_reply(200, "Successfully registered", modified=True)
    assert (reply.status, reply.headers) == (200, {"x-inngest-sync-kind": "out_of_band"})
    assert orjson.loads(reply.body) == {"message": "Successfully registered", "modified": True}


# In band: E30, E31, E35.


@pytest.mark.parametrize(
    ("kind", "wanted"), [("in_band", True), ("in-band", True), ("IN_BAND", True), ("out_of_band", False), ("", False), ("x", False)]
)
def test_the_header_says_whether_the_list_is_wanted_in_the_reply(kind: str, wanted: bool) -> None:
    """Behaviour K03."""
    assert asks_in_band({"x-inngest-sync-kind": kind}) is wanted


def test_without_the_header_it_is_not() -> None:
    assert not asks_in_band({})


def test_the_server_says_how_it_reaches_the_app() -> None:
    assert in_band_url(b'{"url":"http://localhost:8000/api/inngest","more":1}') == "http://localhost:8000/api/inngest"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 500, "body_missing"),
        (b"{", 400, "invalid_request"),
        (b"[]", 400, "invalid_request"),
        (b"{}", 400, "invalid_request"),
        (b'{"url":5}', 400, "invalid_request"),
        (b'{"url":"no url"}', 400, "invalid_request"),
        (b'{"url":"ftp://x"}', 400, "invalid_request"),
        (b'{"url":"http://[x"}', 400, "invalid_request"),
        (b'{"url":"http://x:99999999"}', 400, "invalid_request"),
        (b"[" * 5000, 400, "invalid_request"),
    ],
)
def test_a_body_that_does_not_is_refused(body: bytes, status: int, code: str) -> None:
    with pytest.raises(BadCall) as raised:
        in_band_url(body)
    assert (raised.value.status, raised.value.code) == (status, code)


def test_the_reply_in_band_holds_the_list_and_the_inspection() -> None:
    reply = in_band_reply(APP, {"mode": "dev"}, env="branch", platform=None)
    assert (reply.status, reply.headers) == (200, {"x-inngest-sync-kind": "in_band"})
    body = orjson.loads(reply.body)
    assert body.pop("sdk_version")
    assert body == {
        "app_id": "shop", "capabilities": {"in_band_sync": "v1", "trust_probe": "v1"}, "env": "branch", "framework": "asgi", "functions": [entry()],
        "inspection": {"mode": "dev"}, "platform": None, "sdk_author": "inngest", "sdk_language": "py", "sdk": SDK, "url": URL,
    }  # fmt: skip
    assert orjson.loads(
        in_band_reply(AppEntry(id="a", url=URL, framework="f", functions=[], version="9"), {}, env=None, platform=None).body
    )["appVersion"] == ("9")


def test_limits_of_runs_stand_beside_those_of_steps() -> None:
    def wire(*limits: Concurrency) -> Any:
        return FunctionEntry(slug="a-f", name="f", flow={"concurrency": limits}).wire("http://a/")["concurrency"]

    steps, runs = Concurrency(5), Concurrency(2, "event.data.x", of="runs")
    assert wire(steps) == [{"limit": 5, "scope": "fn"}]
    assert wire(runs) == {"fn": [{"limit": 2, "key": "event.data.x"}]}
    assert wire(steps, runs) == {"fn": [{"limit": 2, "key": "event.data.x"}], "step": [{"limit": 5, "scope": "fn"}]}
