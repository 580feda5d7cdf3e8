"""Who may ask what, and how it is answered: methods, signatures, registration, introspection, probes, bad requests.

Letters and numbers in brackets name the facts in the protocol notes.
"""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

import inngest_gen as ig
from inngest_gen.clock import VirtualClock
from inngest_gen.errors import ApiError
from inngest_gen.net.api import Registered
from inngest_gen.protocol.reply import Reply
from inngest_gen.protocol.signature import sign
from inngest_gen.serving.endpoint import Endpoint
from inngest_gen.serving.request import Request
from tests.serving.rig import START, PlayedApi

KEY = "signkey-test-" + "0" * 64
FALLBACK = "signkey-test-" + "1" * 64
URL = "https://shop.example.com/api/inngest"


class Api(PlayedApi):
    def __init__(self, app: ig.App) -> None:
        super().__init__(app)
        self.registered: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.error: ApiError | None = None

    async def register(self, body: bytes, **options: Any) -> Registered:
        self.registered.append((orjson.loads(body), options))
        if self.error is not None:
            raise self.error
        return Registered(modified=True, told={"ok": True})


def endpoint(*, cloud: bool = True, key: str | None = KEY, fallback: str | None = FALLBACK, **options: Any) -> Endpoint:
    settings = options.pop("settings", {})
    app = ig.App("shop", dev=not cloud, signing_key=key if cloud else None, signing_key_fallback=fallback if cloud else None, **settings)

    async def on_failure(ctx: ig.Context) -> ig.Flow:
        yield ig.Done()

    @app.function(
        "order", trigger=[ig.EventTrigger("order/placed", "event.data.x > 1"), ig.Cron("0 9 * * 1")], name="Order", on_failure=on_failure
    )
    async def order(ctx: ig.Context) -> ig.Flow:
        yield ig.Done("ordered")

    @app.deferred("mail")
    async def mail(ctx: ig.DeferContext[Any]) -> ig.Flow:
        yield ig.Done()

    return Endpoint(app, api=Api(app), clock=VirtualClock(START), **options)


def request(
    method: str, *, url: str = URL, body: bytes = b"", key: str | None = None, at: float = START, headers: Mapping[str, str] | None = None
) -> Request:
    signed = {} if key is None else {"x-inngest-signature": sign(body, key, at)}
    return Request(method=method, url=url, headers={**signed, **(headers or {})}, body=body)


def told(reply: Reply) -> Any:
    return orjson.loads(reply.body)


CALL = orjson.dumps(
    {"ctx": {"run_id": "01M81RASKSAK7FY1P7FRJ85TMY", "attempt": 0, "stack": {"stack": [], "current": 0}},
     "event": {"name": "order/placed", "data": {}}, "events": [{"name": "order/placed", "data": {}}], "steps": {}, "version": 2}
)  # fmt: skip
CALL_URL = f"{URL}?fnId=shop-order&stepId=step"


class TestCalls:
    async def test_a_signed_call_is_answered_and_the_answer_signed(self) -> None:  # E04, E24
        for key in (KEY, FALLBACK):  # E08
            reply = await endpoint().handle(request("POST", url=CALL_URL, body=CALL, key=key))
            assert (reply.status, told(reply)) == (200, "ordered")
            assert reply.headers["x-inngest-signature"] == sign(reply.body, key, START)
            assert set(reply.headers) == {
                "content-type", "user-agent", "x-inngest-sdk", "x-inngest-framework", "x-inngest-req-version", "x-inngest-sdk-handled",
                "x-inngest-signature",
            }  # fmt: skip

    @pytest.mark.parametrize(
        ("signature", "body"),
        [
            (None, CALL),
            ("t=1&s=00", CALL),
            ("", CALL),
            (sign(CALL, KEY, START - 301), CALL),  # E05
            (sign(CALL, KEY, START + 301), CALL),
            (sign(CALL, "signkey-test-" + "2" * 64, START), CALL),
            (sign(CALL, KEY, START), CALL.replace(b"order/placed", b"order/faked")),
            (sign(b"", KEY, START), CALL),
        ],
    )
    async def test_any_other_call_is_refused_and_told_nothing(self, signature: str | None, body: bytes) -> None:  # E21, E23
        headers = {} if signature is None else {"x-inngest-signature": signature}
        reply = await endpoint().handle(request("POST", url=CALL_URL, body=body, headers=headers))
        assert reply.status == 401
        assert told(reply)["message"] == "Unauthorized"
        assert set(reply.headers) == {"content-type", "x-inngest-sdk-handled"}

    async def test_in_dev_mode_no_signature_is_looked_at(self) -> None:  # E25
        reply = await endpoint(cloud=False).handle(request("POST", url=CALL_URL, body=CALL, headers={"x-inngest-signature": "t=1&s=00"}))
        assert (reply.status, told(reply)) == (200, "ordered")
        assert "x-inngest-signature" not in reply.headers

    @pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
    async def test_without_a_key_the_cloud_is_refused_everything(self, method: str) -> None:  # E20
        reply = await endpoint(key=None, fallback=None).handle(request(method, url=CALL_URL, body=CALL))
        assert (reply.status, told(reply)["code"]) == (500, "internal_server_error")

    @pytest.mark.parametrize(
        ("url", "body", "status", "words"),
        [
            (
                f"{URL}?fnId=shop-gone&stepId=step",
                CALL,
                500,
                'Function "shop-gone" was not found in this app; is the app synced correctly?',
            ),
            (f"{URL}?fnId=other-order&stepId=step", CALL, 500, "was not found in this app"),
            (URL, CALL, 500, "fnId"),  # C10
            (CALL_URL, b"", 400, "JSON"),
            (CALL_URL, b"{", 400, "JSON"),
            (CALL_URL, b"[]", 400, "must be an object"),
            (CALL_URL, b'{"ctx": 1}', 400, "ctx must be an object"),
            (CALL_URL, b"[" * 100_000, 400, "JSON"),
            (CALL_URL, b'{"version": 0, "ctx": {"run_id": "x"}, "event": {"name": "a"}}', 500, "version 0"),
        ],
    )
    async def test_bad_calls_are_told_what_is_wrong(self, url: str, body: bytes, status: int, words: str) -> None:
        reply = await endpoint().handle(request("POST", url=url, body=body, key=KEY))
        assert reply.status == status
        assert words in told(reply)["message"]
        assert reply.headers["x-inngest-signature"]

    @pytest.mark.parametrize("probe", ["trust", "other"])
    async def test_probes(self, probe: str) -> None:  # E26
        reply = await endpoint().handle(request("POST", url=f"{URL}?probe={probe}", key=KEY))
        assert (reply.status, reply.body) == (200, b"") if probe == "trust" else reply.status == 400
        assert (await endpoint().handle(request("POST", url=f"{URL}?probe={probe}"))).status == 401

    @pytest.mark.parametrize("method", ["DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"])
    async def test_other_methods(self, method: str) -> None:  # D01
        reply = await endpoint().handle(request(method))
        assert (reply.status, reply.headers["allow"]) == (405, "GET, POST, PUT")

    async def test_a_defect_of_ours_is_told_to_nobody_without_the_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        one = endpoint()

        async def broken(*_: Any, **__: Any) -> Registered:
            raise RuntimeError("a secret")

        monkeypatch.setattr(one.api, "register", broken)
        assert b"secret" not in (await one.handle(request("PUT"))).body
        assert b"secret" in (await one.handle(request("PUT", key=KEY))).body


class TestIntrospection:
    async def test_what_the_keys_holder_is_told(self) -> None:  # E51
        reply = await endpoint().handle(request("GET", key=KEY))
        assert reply.status == 200
        body = told(reply)
        assert body["authentication_succeeded"] is True
        assert (body["app_id"], body["function_count"], body["mode"], body["schema_version"]) == ("shop", 3, "cloud", "2024-05-24")
        assert (body["signing_key_hash"], body["signing_key_fallback_hash"]) == ("66687aadf862", "02d449a31fbb")

    @pytest.mark.parametrize(("signature", "succeeded"), [(None, None), ("t=1&s=2", False)])
    async def test_what_anybody_is_told(self, signature: str | None, succeeded: bool | None) -> None:  # E22, K10
        headers = {} if signature is None else {"x-inngest-signature": signature}
        reply = await endpoint().handle(request("GET", headers=headers))
        assert (reply.status, set(reply.headers)) == (200, {"content-type", "x-inngest-sdk-handled"})
        assert told(reply) == {
            "authentication_succeeded": succeeded, "extra": {}, "function_count": 3, "has_event_key": False, "has_signing_key": True,
            "has_signing_key_fallback": True, "mode": "cloud", "schema_version": "2024-05-24",
        }  # fmt: skip

    async def test_in_dev_mode(self) -> None:  # E50
        body = told(await endpoint(cloud=False).handle(request("GET")))
        assert (body["mode"], body["has_signing_key"], body["function_count"]) == ("dev", False, 3)


class TestRegistration:
    async def test_out_of_band(self) -> None:  # E32
        one = endpoint()
        registered = Reply(status=0)
        for asked in (request("PUT"), request("PUT", key=KEY)):  # E44: by default anybody may ask for it
            registered = await one.handle(asked)
            assert (registered.status, told(registered)) == (200, {"message": "Successfully registered", "modified": True})
        assert isinstance(one.api, Api)
        body, options = one.api.registered[0]
        assert (body["url"], body["appName"], body["deployType"], body["v"]) == (URL, "shop", "ping", "0.1")
        assert body["sdk"] == registered.headers["x-inngest-sdk"]
        assert options["deploy_id"] is None
        assert [entry["id"] for entry in body["functions"]] == ["shop-order", "shop-order-failure", "shop-mail"]
        order, failure, mail = body["functions"]
        assert order["triggers"] == [{"event": "order/placed", "expression": "event.data.x > 1"}, {"cron": "0 9 * * 1"}]
        assert order["steps"]["step"]["runtime"] == {"type": "http", "url": f"{URL}?fnId=shop-order&stepId=step"}
        assert order["steps"]["step"]["retries"] == {"attempts": 4}
        assert failure["triggers"] == [{"event": "inngest/function.failed", "expression": "event.data.function_id == 'shop-order'"}]
        assert failure["name"] == "Order (failure)"
        assert mail["triggers"] == [{"event": "inngest/deferred.schedule", "expression": "event.data._inngest.fn_slug == 'shop-mail'"}]

    @pytest.mark.parametrize(("given", "id"), [("d1", "d1"), ("undefined", None)])
    async def test_a_deploys_id_goes_along(self, given: str, id: str | None) -> None:
        one = endpoint()
        await one.handle(request("PUT", url=f"{URL}?deployId={given}", key=KEY))
        await one.handle(request("PUT", key=KEY))
        assert isinstance(one.api, Api)
        assert [(body.get("deployId"), options["deploy_id"], body["url"]) for body, options in one.api.registered] == [
            (id, id, URL),
            (None, None, URL),
        ]

    async def test_an_unsigned_request_may_be_forbidden(self, monkeypatch: pytest.MonkeyPatch) -> None:  # E44
        monkeypatch.setenv("INNGEST_ENABLE_UNAUTHED_SYNC", "0")
        one = endpoint()
        assert (await one.handle(request("PUT"))).status == 401
        assert (await one.handle(request("PUT", key=KEY))).status == 200

    @pytest.mark.parametrize("spelled", ["in_band", "in-band"])  # K03
    async def test_in_band(self, spelled: str) -> None:  # E30, E35
        body = orjson.dumps({"url": "https://inner.example.com/x"})
        headers = {"x-inngest-sync-kind": spelled}
        one = endpoint()
        reply = await one.handle(request("PUT", body=body, key=KEY, headers=headers))
        assert (reply.status, reply.headers["x-inngest-sync-kind"]) == (200, "in_band")
        answer = told(reply)
        assert (answer["app_id"], answer["url"], answer["inspection"]["app_id"]) == ("shop", "https://inner.example.com/x", "shop")
        assert answer["functions"][0]["steps"]["step"]["runtime"]["url"] == "https://inner.example.com/x?fnId=shop-order&stepId=step"
        assert (await one.handle(request("PUT", body=body, headers=headers))).status == 401
        assert (await one.handle(request("PUT", key=KEY, headers=headers))).status == 500
        assert (await one.handle(request("PUT", body=b"{}", key=KEY, headers=headers))).status == 400  # E31
        assert isinstance(one.api, Api)
        assert not one.api.registered
        assert (await endpoint(cloud=False).handle(request("PUT", body=body, headers=headers))).headers["x-inngest-sync-kind"] == "in_band"

    async def test_in_band_may_be_forbidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("INNGEST_ALLOW_IN_BAND_SYNC", "0")
        reply = await endpoint().handle(request("PUT", body=b'{"url": "https://x.y"}', key=KEY, headers={"x-inngest-sync-kind": "in_band"}))
        assert told(reply) == {"message": "Successfully registered", "modified": True}

    async def test_the_url_is_what_is_set_over_what_was_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:  # E43
        async def url(one: Endpoint) -> str:
            await one.handle(request("PUT", url="http://10.0.0.7:8000/inner?x=1", key=KEY))
            assert isinstance(one.api, Api)
            told: str = one.api.registered[0][0]["url"]
            return told

        assert await url(endpoint()) == "http://10.0.0.7:8000/inner"
        assert await url(endpoint(origin="shop.example.com:8443")) == "https://shop.example.com:8443/inner"
        monkeypatch.setenv("INNGEST_SERVE_ORIGIN", "https://env.example.com")
        monkeypatch.setenv("INNGEST_SERVE_PATH", "/outer")
        assert await url(endpoint()) == "https://env.example.com/outer"
        assert await url(endpoint(origin="http://option.example.com")) == "http://option.example.com/outer"

    async def test_a_refusal_of_the_server_is_handed_on(self) -> None:  # E34
        one = endpoint()
        assert isinstance(one.api, Api)
        one.api.error = ApiError("registering the app", "https://api.inngest.com", "Expected server kind dev, got cloud", status=400)
        reply = await one.handle(request("PUT", key=KEY))
        assert reply.status == 400
        assert "Expected server kind dev" in told(reply)["message"]
        one.api.error = ApiError("registering the app", "https://api.inngest.com", "no connection")
        assert (await one.handle(request("PUT", key=KEY))).status == 500
        assert told(await one.handle(request("PUT")))["message"] == "Failed to register"  # why, is not for anybody
        one.api.error = ApiError("registering the app", "https://api.inngest.com", "200: <html>", status=200)
        assert (await one.handle(request("PUT", key=KEY))).status == 500


@pytest.mark.parametrize(
    ("path", "origin", "words"),
    [
        ("api", None, "begins with a slash"),
        ("/?a", None, r"no \? or #"),
        ("/", "https://", "the origin is a URL such as https://shop.example.com"),
        ("/", "https://host/path", "without a path"),
        ("/", "ftp://host", "the origin is a URL"),
        ("/", "my host", "the origin is a URL"),
        ("/", "", "leave it out"),
    ],
)
async def test_what_cannot_be_served_is_refused_at_once(path: str, origin: str | None, words: str) -> None:
    with pytest.raises(ig.ConfigError, match=words):
        ig.serve(ig.App("shop", dev=True), path=path, origin=origin)


async def test_what_is_no_app_is_not_served() -> None:
    with pytest.raises(ig.ConfigError, match=r"what is served is an ig\.App, not \{\}"):
        ig.serve({})  # type: ignore[arg-type]
