"""What an app asks of its server, over real sockets, on both loops, with every fault that a server has."""

import logging
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.net.api import Api, Registered, Stale
from inngest_gen.options.settings import Limits, Settings
from tests.net.server import BEARER, CLOSE, ENDLESS, FALLBACK_BEARER, FALLBACK_KEY, HANG, SIGNING_KEY, Server, reply

RUN = "01GQ3HTEZ01M7R8Z9PR1DMHDN1"
OK = reply(200, {})
FIVE_PAUSES = pytest.approx([0.15, 0.25, 0.45, 0.85])
SHORT = Limits(reply_timeout=0.05)


def calls(api: Api) -> list[Any]:
    """Each call that is authorized by the signing key, with what a server that is well answers."""
    return [
        (lambda: api.checkpoint(RUN, b"{}"), OK),
        (lambda: api.batch(RUN), reply(200, [])),
        (lambda: api.actions(RUN), OK),
        (lambda: api.send_signal("s"), OK),
        (lambda: api.register(b"{}"), OK),
        (lambda: api.write_metadata(RUN, b"{}"), OK),
    ]


EACH = pytest.mark.parametrize("call", range(6), ids=["checkpoint", "batch", "actions", "signal", "register", "metadata"])


# Keys and headers.


@EACH
async def test_a_call_is_authorized_by_the_hash_of_the_signing_key(server: Server, call: int) -> None:
    api = server.api(env="my-bränch", platform="vercel")
    make, server.otherwise = calls(api)[call]
    await make()
    [asked] = server.asked
    assert asked.headers["authorization"] == BEARER
    assert asked.headers["x-inngest-env"] == "my-bränch"
    assert asked.headers["x-inngest-platform"] == "vercel"
    assert asked.headers["x-inngest-sdk"] == asked.headers["user-agent"]
    assert asked.headers["user-agent"].startswith("inngest-gen:v")
    assert asked.headers["x-inngest-req-version"] == "2"


@EACH
@pytest.mark.parametrize("status", [401, 403])
async def test_what_the_key_is_refused_the_fallback_is_asked_for_once(server: Server, call: int, status: int) -> None:
    api = server.api(signing_key_fallback=FALLBACK_KEY)
    make, fine = calls(api)[call]
    server.script = [reply(status, {"error": "no"}), fine]
    await make()
    assert [asked.headers["authorization"] for asked in server.asked] == [BEARER, FALLBACK_BEARER]
    assert server.pauses == []


async def test_a_key_that_was_taken_is_the_first_that_the_next_call_tries(server: Server) -> None:
    api = server.api(signing_key_fallback=FALLBACK_KEY)
    no = reply(401, {})
    server.script = [no, OK, OK, no, OK, OK]
    for _ in range(4):
        await api.actions(RUN)
    assert [asked.headers["authorization"] for asked in server.asked] == [BEARER] + [FALLBACK_BEARER] * 3 + [BEARER] * 2


async def test_no_other_status_makes_the_fallback_be_tried(server: Server) -> None:
    api = server.api(signing_key_fallback=FALLBACK_KEY)
    server.otherwise = reply(500, {})
    with pytest.raises(ig.ApiError):
        await api.actions(RUN)
    assert {asked.headers["authorization"] for asked in server.asked} == {BEARER}


async def test_without_a_signing_key_a_call_is_made_without_authorization(server: Server) -> None:
    await server.api(mode="dev", signing_key=None).actions(RUN)
    assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize(("mode", "authorization"), [("dev", None), ("cloud", BEARER)])
async def test_a_key_that_is_none_is_not_sent(server: Server, mode: str, authorization: str | None) -> None:
    fallback = None if mode == "dev" else SIGNING_KEY
    await server.api(mode=mode, signing_key="signkey-test-fake", signing_key_fallback=fallback).actions(RUN)
    assert server.asked[0].headers.get("authorization") == authorization


async def test_in_cloud_mode_a_key_that_is_none_is_told(server: Server) -> None:
    api = server.api(signing_key="signkey-test-fake")
    with pytest.raises(ig.ApiError, match="the signing key is not hexadecimal"):
        await api.actions(RUN)
    assert await api.checkpoint(RUN, b"{}") is False
    assert server.asked == []


# Checkpoints.


async def test_a_checkpoint_goes_to_its_run_as_it_is(server: Server) -> None:
    assert await server.api().checkpoint(RUN, b'{"steps":[1]}') is True
    [asked] = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", f"/v1/checkpoint/{RUN}/async", b'{"steps":[1]}')
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "fault",
    [
        reply(500, {"error": "boom"}),
        reply(503),
        reply(400, {"error": "cannot checkpoint"}),
        reply(429),
        CLOSE,
        b"garbage\r\n\r\n",
        reply(200, b"<html>"),
    ],
)
async def test_a_checkpoint_that_fails_is_sent_again_with_growing_pauses(server: Server, fault: bytes) -> None:
    server.script = [fault] * 4 + [OK]
    assert await server.api().checkpoint(RUN, b"{}") is True
    assert server.pauses == FIVE_PAUSES
    assert {(asked.path, asked.body) for asked in server.asked} == {(f"/v1/checkpoint/{RUN}/async", b"{}")}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (reply(500, {"error": "boom"}), "500: boom"),
        (reply(502, b"<html>bad gateway</html>"), "502: <html>bad gateway</html>"),
        (reply(400, {"error": "cannot checkpoint async steps"}), "400: cannot checkpoint async steps"),
        (CLOSE, "Server disconnected without sending a response."),
        (reply(200, b"<html>sign in to this network</html>"), "200: <html>sign in to this network</html>"),
    ],
)
async def test_after_five_attempts_a_checkpoint_is_given_up_and_the_reason_logged(
    server: Server, fault: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.otherwise = fault
    with caplog.at_level(logging.WARNING, "inngest_gen.net"):
        assert await server.api().checkpoint(RUN, b"{}") is False
    assert len(server.asked) == 5
    assert caplog.messages == [f"a checkpoint of run {RUN} was not taken ({reason}): its steps go with the reply instead"]


@pytest.mark.parametrize(("status", "asked"), [(401, 1), (403, 1), (413, 1), (404, 1)])
async def test_a_refusal_that_another_attempt_would_meet_as_well_is_taken_at_once(server: Server, status: int, asked: int) -> None:
    server.otherwise = reply(status, {"error": "no"})
    assert await server.api().checkpoint(RUN, b"{}") is False
    assert len(server.asked) == asked
    assert server.pauses == []


async def test_a_stale_checkpoint_is_not_sent_again(server: Server) -> None:
    server.otherwise = reply(409, {"error": "stale dispatch"})
    with pytest.raises(Stale, match="409: stale dispatch"):
        await server.api().checkpoint(RUN, b"{}")
    assert len(server.asked) == 1


async def test_a_checkpoint_that_nobody_answers_is_given_up() -> None:
    server = Server(url="http://127.0.0.1:1")
    assert await server.api().checkpoint(RUN, b"{}") is False
    assert server.pauses == FIVE_PAUSES


async def test_a_checkpoint_that_hangs_is_given_up_in_time(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.otherwise = HANG
    assert await server.api(limits=SHORT).checkpoint(RUN, b"{}") is False
    assert len(server.asked) == 5
    assert "no whole reply within 0.05 s" in caplog.text


# The record of a run.


async def test_the_record_and_the_events_of_a_run_are_given_as_they_come(server: Server) -> None:
    server.script = [reply(200, b'[{"name":"e"}]'), reply(200, b'{"s":{"data":1}}')]
    api = server.api()
    assert await api.batch(RUN) == b'[{"name":"e"}]'
    assert await api.actions(RUN) == b'{"s":{"data":1}}'
    assert [(asked.method, asked.path, asked.body) for asked in server.asked] == [
        ("GET", f"/v0/runs/{RUN}/batch", b""),
        ("GET", f"/v0/runs/{RUN}/actions", b""),
    ]


async def test_the_trace_and_the_defers_of_a_run_are_given_where_the_server_shows_them(server: Server) -> None:
    api = server.api()
    root = {"name": "Run", "children": []}
    server.script = [reply(200, {"data": {"runId": RUN, "rootSpan": root}}), reply(200, {"data": {"run": {"defers": [{"fnSlug": "f"}]}}})]
    assert await api.trace(RUN) == root
    assert await api.defers(RUN) == [{"fnSlug": "f"}]
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("GET", f"/v2/runs/{RUN}/trace?includeOutput=true"),
        ("POST", "/v0/gql"),
    ]
    assert server.asked[1].json["variables"] == {"id": RUN}
    assert server.asked[1].headers["authorization"] == BEARER


@pytest.mark.parametrize(
    "answer", [reply(404), reply(501, {"errors": []}), reply(200, []), reply(200, {"data": None}), reply(200, b"<p>"), CLOSE]
)
async def test_a_trace_and_defers_that_the_server_does_not_show_are_none(server: Server, answer: bytes) -> None:
    api = server.api()
    server.otherwise = answer
    assert await api.trace(RUN) is None
    assert await api.defers(RUN) is None
    assert server.pauses == []


async def test_a_record_is_asked_for_again_while_the_server_is_in_trouble(server: Server) -> None:
    server.script = [reply(500), CLOSE, reply(429), reply(200, b"<html>"), reply(200, b"{}")]
    assert await server.api().actions(RUN) == b"{}"
    assert server.pauses == FIVE_PAUSES


@pytest.mark.parametrize(
    ("fault", "many", "sentence"),
    [
        (reply(410, {"error": "state is gone"}), 1, f"reading the steps of run {RUN} at URL failed (410: state is gone)"),
        (reply(200, b"[]"), 5, f"reading the steps of run {RUN} at URL failed (200: [])"),
        (reply(500), 5, f"reading the steps of run {RUN} at URL failed (500: no reason told)"),
        (reply(401), 1, f"reading the steps of run {RUN} at URL failed (401: no reason told): check the signing key (INNGEST_SIGNING_KEY)"),
        (
            reply(308, location="https://else.example/"),
            1,
            f"reading the steps of run {RUN} at URL failed (308: it redirects to https://else.example/): set INNGEST_BASE_URL to where the server is now",
        ),
        (ENDLESS, 1, f"reading the steps of run {RUN} at URL failed (its reply has more than 1,000 bytes)"),
    ],
)
async def test_a_record_that_is_not_to_be_had_is_an_error_that_says_why(server: Server, fault: bytes, many: int, sentence: str) -> None:
    server.otherwise = fault
    with pytest.raises(ig.ApiError) as caught:
        await server.api(limits=Limits(reply_bytes=1000)).actions(RUN)
    assert str(caught.value) == sentence.replace("at URL", f"at {server.url}")
    assert len(server.asked) == many


async def test_a_reply_is_counted_after_decompression(server: Server) -> None:
    import gzip

    server.otherwise = reply(200, gzip.compress(b"x" * 2000), content_encoding="gzip")
    with pytest.raises(ig.ApiError, match="more than 1,000 bytes"):
        await server.api(limits=Limits(reply_bytes=1000)).actions(RUN)
    server.otherwise = reply(200, gzip.compress(b"{" + b" " * 1998 + b"}"), content_encoding="gzip")
    assert len(await server.api().actions(RUN)) == 2000


@pytest.mark.parametrize(
    ("mode", "hint"), [("dev", "start the dev server, or say where it is with INNGEST_DEV"), ("cloud", "check the network")]
)
async def test_a_server_that_is_not_there_is_told_with_its_url(mode: str, hint: str) -> None:
    with pytest.raises(ig.ApiError, match=rf"at http://127.0.0.1:1 failed \(no connection: Connection refused\): {hint}"):
        await Server(url="http://127.0.0.1:1").api(mode=mode).actions(RUN)


# Signals.


async def test_a_signal_tells_whether_a_run_waited_for_it(server: Server) -> None:
    server.script = [reply(200, {"data": {"run_id": RUN}}), reply(404, {"error": "No signal found"})]
    api = server.api()
    assert await api.send_signal("go", {"x": (1, 2.0)}) is True
    assert await api.send_signal("go") is False
    assert [(asked.method, asked.path, asked.json) for asked in server.asked] == [
        ("POST", "/v1/signals", {"signal": "go", "data": {"x": [1, 2]}}),
        ("POST", "/v1/signals", {"signal": "go", "data": None}),
    ]


@pytest.mark.parametrize("fault", [reply(500, {"error": "boom"}), CLOSE, reply(200, b"<html>")])
async def test_a_signal_is_sent_once(server: Server, fault: bytes) -> None:
    server.otherwise = fault
    with pytest.raises(ig.ApiError, match="sending signal 'go'"):
        await server.api().send_signal("go")
    assert len(server.asked) == 1


async def test_a_signal_s_data_has_to_be_json(server: Server) -> None:
    with pytest.raises(ig.NotJSON, match="the data of signal 'go'"):
        await server.api().send_signal("go", {1, 2})


# Registration.


async def test_a_registration_carries_its_deploy_and_what_asked_for_it(server: Server) -> None:
    server.otherwise = reply(200, {"ok": True, "modified": True, "sync_id": "s"})
    api = server.api()
    told = await api.register(b'{"url":"u"}', deploy_id="d 1", framework="starlette", expected_server_kind="dev")
    assert told == Registered(modified=True, told={"ok": True, "modified": True, "sync_id": "s"})
    await api.register(b"{}")
    first, second = server.asked
    assert (first.method, first.path, first.body) == ("POST", "/fn/register?deployId=d+1", b'{"url":"u"}')
    assert first.headers["x-inngest-sync-kind"] == "out_of_band"
    assert first.headers["x-inngest-framework"] == "starlette"
    assert first.headers["x-inngest-expected-server-kind"] == "dev"
    assert second.path == "/fn/register"
    assert "x-inngest-expected-server-kind" not in second.headers


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        (reply(400, {"error": "Expected server kind dev, got cloud"}), 400, "400: Expected server kind dev, got cloud"),
        (reply(500, {"message": "boom"}), 500, "500: boom"),
        (reply(200, {"error": "odd"}), 200, "200: odd"),
        (reply(200, b"<html>no server</html>"), 200, "200: <html>no server</html>"),
        (CLOSE, None, "Server disconnected without sending a response."),
    ],
)
async def test_a_registration_that_fails_tells_the_status_and_the_reason(
    server: Server, fault: bytes, status: int | None, reason: str
) -> None:
    server.otherwise = fault
    with pytest.raises(ig.ApiError, match="registering the app") as caught:
        await server.api().register(b"{}")
    assert (caught.value.status, caught.value.reason) == (status, reason)
    assert len(server.asked) == 1


# Metadata.


async def test_metadata_goes_to_its_run(server: Server) -> None:
    server.script = [reply(500), reply(200)]
    await server.api().write_metadata(RUN, b'{"metadata":[]}')
    assert [(asked.method, asked.path, asked.body) for asked in server.asked] == [
        ("POST", f"/v1/runs/{RUN}/metadata", b'{"metadata":[]}')
    ] * 2


async def test_metadata_that_is_refused_is_an_error(server: Server) -> None:
    server.otherwise = reply(403, {"error": "Metadata is not enabled for this account"})
    with pytest.raises(ig.ApiError, match=r"writing metadata of run .* \(403: Metadata is not enabled for this account"):
        await server.api().write_metadata(RUN, b"{}")


# Errors.


async def test_what_a_server_says_at_length_is_cut(server: Server) -> None:
    server.otherwise = reply(400, b"x" * 100_000)
    with pytest.raises(ig.ApiError) as caught:
        await server.api().actions(RUN)
    assert len(str(caught.value)) < 500


async def test_a_server_error_survives_pickling(server: Server) -> None:
    import pickle

    server.otherwise = reply(401)
    with pytest.raises(ig.ApiError) as caught:
        await server.api().actions(RUN)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.status, again.hint) == (str(caught.value), 401, "check the signing key (INNGEST_SIGNING_KEY)")


def test_an_api_costs_nothing_until_it_is_used() -> None:
    Api(Settings())
