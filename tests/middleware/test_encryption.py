"""EncryptionMiddleware: nothing secret is in the file, everything is read back, and what was tampered with is refused."""

import base64
import dataclasses
import pathlib
import re
import sqlite3
from collections.abc import Sequence
from typing import Any

import anyio
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import inngest_gen as ig
from tests.engine.rig import PATIENCE_S, START, all_of, engine, of, outcome, run, run_one, step

KEY = ig.EncryptionMiddleware.generate_key()
OLD = ig.EncryptionMiddleware.generate_key()
SECRET = "S3CRET"


def is_sealed(value: Any) -> bool:
    return set(value) == {"__encrypted__"}


def everything_in(path: pathlib.Path) -> bytes:
    """All bytes of the engine's file, in whatever table."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


class Card(pydantic.BaseModel):
    number: str


def shop(encryption: Any, **settings: Any) -> ig.App:
    """An app that has a secret in everything that can carry one."""
    app = ig.App("shop", middleware=[encryption], retries=0, **settings)

    def charge(number: str) -> Card:
        return Card(number=f"{number} charged")

    @app.deferred("note", schema=Card)
    async def note(ctx: ig.DeferContext[Card]) -> ig.Flow:
        yield ctx.step.sleep("nap", 1)
        yield ig.Done({"deferred": ctx.data.number})

    @app.function("other")
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", 1)
        yield ig.Done({"invoked": ctx.data["number"]})

    @app.function("heard", trigger="said")
    async def heard(ctx: ig.Context) -> ig.Flow:
        yield ig.Done(dict(ctx.data))

    def defers(ctx: ig.Context, number: str) -> None:
        ctx.defer("from-body", note, Card(number=number)).submit()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        number = ctx.data["number"]
        card = yield ctx.step.run("charge", charge, number)
        yield ctx.defer("from-handler", note, Card(number=number))
        yield ctx.step.run("defers", defers, ctx, number)
        invoked = yield ctx.step.invoke("invoke", other, {"number": number})
        event, _ = yield ctx.group.parallel(
            ctx.step.wait_for_event("wait", "said", timeout="1h"), ctx.step.send_event("say", ig.Event("said", {"number": number}))
        )
        signal, _ = yield ctx.group.parallel(
            ctx.step.wait_for_signal("listen", "s", timeout="1h"), ctx.step.send_signal("signal", "s", {"number": number})
        )
        yield ctx.step.sleep("nap", 1)
        assert isinstance(card, Card)
        yield ig.Done({"card": card.number, "invoked": invoked, "event": dict(event.data), "signal": signal})

    return app


async def test_nothing_secret_is_in_the_file_and_everything_is_read_back(path: pathlib.Path) -> None:
    encryption = ig.EncryptionMiddleware(KEY, event_data=True)
    app = shop(encryption)
    async with engine(path, app) as its_engine:
        [id] = await app.send(ig.Event("go", {"number": SECRET}))
        runs = await its_engine.run(ig.Event("go", id=id), timeout=PATIENCE_S)
    f = of(runs, "f")
    assert is_sealed(f.output)
    assert encryption.decrypt(f.output) == {
        "card": "S3CRET charged", "invoked": {"invoked": SECRET}, "event": {"number": SECRET}, "signal": {"number": SECRET},
    }  # fmt: skip
    assert [encryption.decrypt(note.output) for note in all_of(runs, "note")] == [{"deferred": SECRET}] * 2
    assert encryption.decrypt(of(runs, "heard").output) == {"number": SECRET}
    assert encryption.decrypt(f.event.data) == {"number": SECRET}
    charge = step(f, "charge")
    assert encryption.decrypt(charge.result, slug=f.function_id, hash=charge.hash) == {"number": "S3CRET charged"}
    [_, defer] = f.defers
    assert encryption.decrypt(defer.data, slug=defer.function_id, run_id=f.id) == {"number": SECRET}
    assert SECRET.encode() not in everything_in(path)


async def test_the_same_look_at_the_file_finds_what_is_not_encrypted(path: pathlib.Path) -> None:
    await run(path, shop(ig.EncryptionMiddleware(KEY, decrypt_only=True)), "go", {"number": SECRET})
    assert everything_in(path).count(SECRET.encode()) > 5


async def test_without_event_data_events_are_as_they_were_and_the_rest_is_not(path: pathlib.Path) -> None:
    encryption = ig.EncryptionMiddleware(KEY)
    runs = await run(path, shop(encryption), "go", {"number": SECRET})
    assert encryption.decrypt(of(runs, "heard").output) == {"number": SECRET}
    assert of(runs, "heard").event.data == {"number": SECRET}
    assert is_sealed(of(runs, "f").defers[0].data)
    assert is_sealed(of(runs, "other").event.data)


async def test_a_run_goes_on_after_a_restart_with_another_key_before(path: pathlib.Path) -> None:
    """The engine is closed while the run sleeps, and reopened with a new key that has the old one as its fallback."""
    before, after = ig.EncryptionMiddleware(OLD), ig.EncryptionMiddleware(KEY, fallback_keys=[OLD])
    ran: list[str] = []

    def app(encryption: Any) -> ig.App:
        made = ig.App("shop", middleware=[encryption])

        @made.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            one = yield ctx.step.run("one", lambda: ran.append("one") or SECRET)
            yield ctx.step.sleep("nap", 60)
            two = yield ctx.step.run("two", lambda: ran.append("two") or SECRET)
            yield ig.Done([one, two])

        return made

    async with engine(path, app(before), clock=ig.VirtualClock(START)) as its_engine:
        await its_engine.send(ig.Event("go"))
        [one] = await its_engine.runs()
        while len((await its_engine.get(one.id)).steps) < 2:
            await anyio.sleep(0.001)
    async with engine(path, app(after)) as its_engine:
        ended = await its_engine.wait(one.id)
    assert ran == ["one", "two"]
    assert after.decrypt(ended.output) == [SECRET, SECRET]
    with pytest.raises(ig.DecryptionError, match="which is not here: name it in fallback_keys"):
        before.decrypt(ended.output)


async def test_it_can_be_introduced_and_taken_out_while_runs_are_in_flight(path: pathlib.Path) -> None:
    ran: list[int] = []

    def app(*middleware: Any) -> ig.App:
        made = ig.App("shop", middleware=middleware)

        @made.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            values = []
            for n in range(3):
                value = yield ctx.step.run(f"s{n}", lambda n=n: ran.append(n) or f"{SECRET}{n}")
                values.append(value)
                yield ctx.step.sleep(f"nap{n}", 60)
            yield ig.Done(values)

        return made

    deploys = [(), (ig.EncryptionMiddleware(KEY),), (ig.EncryptionMiddleware(KEY, decrypt_only=True),)]
    id = ""
    for place, middleware in enumerate(deploys):
        async with engine(path, app(*middleware), clock=ig.VirtualClock(START + 61 * place)) as its_engine:
            if not id:
                await its_engine.send(ig.Event("go"))
                [one] = await its_engine.runs()
                id = one.id
            while len((await its_engine.get(id)).steps) < 2 * place + 2:
                await anyio.sleep(0.001)
    async with engine(path, app(*deploys[-1])) as its_engine:
        ended = await its_engine.wait(id)
    assert ended.output == [f"{SECRET}{n}" for n in range(3)]
    assert ran == [0, 1, 2]
    assert [is_sealed(step(ended, f"s{n}").result) for n in range(3)] == [False, True, False]


class TestTampering:
    """Somebody who can write the record, but has no key: a middleware outside, next to the record, does what he would do."""

    async def tampered(self, path: pathlib.Path, change: Any, **options: Any) -> ig.Run:
        seen: dict[str, Any] = {}

        class Tampers(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                value = await next()
                if step.memoized:
                    seen[step.id] = value
                    return change(step.id, value, seen)
                return value

        app = ig.App("shop", retries=0, middleware=[Tampers, ig.EncryptionMiddleware(KEY, **options)])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            one = yield ctx.step.run("one", lambda: "first")
            two = yield ctx.step.run("two", lambda: "second")
            yield ig.Done([one, two])

        return await run_one(path, app)

    def refused(self, one: ig.Run) -> str:
        assert one.error is not None
        assert one.error.name == "DecryptionError"
        return one.error.message

    async def test_a_changed_byte_is_refused(self, path: pathlib.Path) -> None:
        def change(id: str, value: Any, seen: Any) -> Any:
            head, _, data = value["__encrypted__"].rpartition(".")
            raw = bytearray(base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)))
            raw[-20] ^= 1
            return {"__encrypted__": f"{head}.{base64.urlsafe_b64encode(raw).decode().rstrip('=')}"}

        assert "was changed, or moved here from elsewhere" in self.refused(await self.tampered(path, change))

    async def test_the_result_of_another_step_is_refused(self, path: pathlib.Path) -> None:
        one = await self.tampered(path, lambda id, value, seen: seen["one"])
        assert "encrypted data of a 'step' was changed, or moved here" in self.refused(one)

    async def test_a_result_with_fields_beside_it_is_plain_data_and_is_refused_where_that_is(self, path: pathlib.Path) -> None:
        one = await self.tampered(path, lambda id, value, seen: {**value, "more": 1}, accept_plain=False)
        assert "the recorded result of step.run 'one' is plain, and accept_plain is False" in self.refused(one)

    async def test_plain_data_is_accepted_unless_it_is_told_not_to(self, path: pathlib.Path) -> None:
        forged = await self.tampered(path, lambda id, value, seen: "forged")
        assert ig.EncryptionMiddleware(KEY).decrypt(forged.output) == ["forged", "forged"]
        refused = await self.tampered(path.with_name("other.db"), lambda id, value, seen: "forged", accept_plain=False)
        assert "is plain" in self.refused(refused)

    @pytest.mark.parametrize(
        ("sealed", "message"),
        [
            ("ig2.x.step.y", r"encrypted data of an unknown format \('ig2'\), perhaps of a later version"),
            ("ig1.AAAAAAAA.step.AAAA", "is encrypted with the key 'AAAAAAAA', which is not here"),
            ("ig1.{key}.step.", "was changed"),
            ("ig1.{key}.step.!!!", "was changed"),
            ("ig1.{key}.step.\xe4\xf6\xfc", "was changed"),
            ("ig1.{key}.output.AAAA", "encrypted data of a 'output' is where it does not belong"),
            ("ig1.{key}", "unknown format"),
            ("ig1." + "a" * 1000 + ".step.x", "is encrypted with the key 'aaaaaaaaaaaaaaaa'"),
        ],
    )
    async def test_what_is_no_envelope_of_ours_is_named(self, path: pathlib.Path, sealed: str, message: str) -> None:
        key = ig.EncryptionMiddleware(KEY)._key_id
        one = await self.tampered(path, lambda id, value, seen: {"__encrypted__": sealed.replace("{key}", key)})
        assert re.search(message, self.refused(one))

    async def test_an_intact_one_passes(self, path: pathlib.Path) -> None:
        """The tampering itself is not what is refused above."""
        one = await self.tampered(path, lambda id, value, seen: dict(value), accept_plain=False)
        assert ig.EncryptionMiddleware(KEY).decrypt(one.output) == ["first", "second"]

    async def test_a_defer_of_another_run_or_to_another_function_is_refused(self, path: pathlib.Path) -> None:
        stolen: list[Any] = []

        class Steals(ig.Middleware):
            def restore_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                stolen.append(defer.data)
                return dataclasses.replace(defer, data=stolen[0])

        app = ig.App("shop", retries=0, middleware=[Steals, ig.EncryptionMiddleware(KEY)])

        @app.deferred("a")
        async def a(ctx: ig.DeferContext) -> Any:
            return dict(ctx.data)

        @app.deferred("b")
        async def b(ctx: ig.DeferContext) -> Any:
            return dict(ctx.data)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", a if ctx.data["to"] == "a" else b, {"n": 1})

        assert of(await run(path, app, "go", {"to": "a"}), "a").status == "completed"
        assert outcome(of(await run(path, app, "go", {"to": "a"}), "a"))[0] == "DecryptionError"
        assert outcome(of(await run(path, app, "go", {"to": "b"}), "b"))[0] == "DecryptionError"

    async def test_a_plain_defer_is_refused_where_that_is_asked_for(self, path: pathlib.Path) -> None:
        class Strips(ig.Middleware):
            def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                return dataclasses.replace(defer, data={"n": 666})

        app = ig.App("shop", retries=0, middleware=[Strips, ig.EncryptionMiddleware(KEY, accept_plain=False)])

        @app.deferred("a")
        async def a(ctx: ig.DeferContext) -> None:
            pass

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", a, {"n": 1})

        assert outcome(of(await run(path, app), "a")) == (
            "DecryptionError", "the data of a defer to shop-a is plain, and accept_plain is False",
        )  # fmt: skip

    async def test_no_error_says_anything_of_the_key_or_of_the_data(self, path: pathlib.Path) -> None:
        def change(id: str, value: Any, seen: Any) -> Any:
            return {"__encrypted__": value["__encrypted__"][:-4] + "AAAA"}

        one = await self.tampered(path, change)
        told = f"{one.error.message}{one.error.stack}"
        assert KEY not in told
        assert "first" not in told
        assert KEY not in repr(ig.EncryptionMiddleware(KEY))


class TestFields:
    async def test_only_the_named_fields_of_events_are_encrypted(self, path: pathlib.Path) -> None:
        encryption = ig.EncryptionMiddleware(KEY, event_data=["card"])
        app = ig.App("shop", middleware=[encryption])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> Any:
            return [ctx.data["card"], ctx.data["order"]]

        async with engine(path, app) as its_engine:
            [id] = await app.send(ig.Event("go", {"card": {"number": SECRET}, "order": 7}))
            [one] = await its_engine.run(ig.Event("go", id=id), timeout=PATIENCE_S)
        assert one.event.data["order"] == 7
        assert is_sealed(one.event.data["card"])
        assert encryption.decrypt(one.output) == [{"number": SECRET}, 7]

    async def test_plain_fields_stay_readable_and_can_be_matched(self, path: pathlib.Path) -> None:
        encryption = ig.EncryptionMiddleware(KEY, event_data=True, plain_fields=["order"])
        app = ig.App("shop", middleware=[encryption])

        @app.deferred("note")
        async def note(ctx: ig.DeferContext) -> Any:
            return dict(ctx.data)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {"order": 7, "card": SECRET})
            event, _ = yield ctx.group.parallel(
                ctx.step.wait_for_event("paid", "paid", match="data.order", timeout="1h"),
                ctx.step.send_event("pay", ig.Event("paid", {"order": 7, "card": SECRET})),
            )
            yield ig.Done([dict(ctx.data), dict(event.data)])

        async with engine(path, app) as its_engine:
            [id] = await app.send(ig.Event("go", {"order": 7, "card": SECRET}))
            runs = await its_engine.run(ig.Event("go", id=id), timeout=PATIENCE_S)
        one = of(runs, "f")
        assert (one.event.data["order"], set(one.event.data)) == (7, {"order", "__encrypted__"})
        assert encryption.decrypt(one.output) == [{"order": 7, "card": SECRET}] * 2
        assert set(one.defers[0].data or {}) == {"order", "__encrypted__"}
        assert encryption.decrypt(of(runs, "note").output) == {"order": 7, "card": SECRET}

    async def test_a_plain_field_put_in_later_does_not_take_the_place_of_an_encrypted_one(self) -> None:
        encryption = ig.EncryptionMiddleware(KEY, event_data=True)
        [event] = encryption.transform_send_event([ig.Event("go", {"amount": 5})])
        assert encryption.decrypt({**event.data, "amount": 500, "note": "x"}) == {"amount": 5, "note": "x"}

    async def test_the_event_of_a_failed_run_is_readable_in_its_failure_handler(self, path: pathlib.Path) -> None:
        encryption = ig.EncryptionMiddleware(KEY, event_data=True)
        app = ig.App("shop", retries=0, middleware=[encryption])

        async def sorry(ctx: ig.Context) -> Any:
            return ctx.data["event"]["data"]

        @app.function("f", trigger="go", on_failure=sorry)
        async def f(ctx: ig.Context) -> None:
            raise ValueError("no")

        async with engine(path, app) as its_engine:
            [id] = await app.send(ig.Event("go", {"card": SECRET}))
            runs = await its_engine.run(ig.Event("go", id=id), timeout=PATIENCE_S)
        assert encryption.decrypt(of(runs, "f-failure").output) == {"card": SECRET}

    async def test_errors_are_not_encrypted(self, path: pathlib.Path) -> None:
        app = ig.App("shop", retries=0, middleware=[ig.EncryptionMiddleware(KEY)])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", {"there": 1}.__getitem__, "missing")

        assert outcome(await run_one(path, app)) == ("KeyError", "'missing'")


class TestDeclaration:
    @pytest.mark.parametrize("key", ["", "short", "password" * 10, b"x" * 31, b"x" * 33, "A" * 43 + "=x", None, "\xe4" * 43])
    def test_what_is_no_key_is_refused_without_showing_it(self, key: Any) -> None:
        with pytest.raises(ig.ConfigError, match="an encryption key is 32 random bytes, or their base64 text") as refused:
            ig.EncryptionMiddleware(key)
        if key:
            assert str(key) not in str(refused.value)

    def test_a_key_may_be_bytes_or_base64_of_either_alphabet_with_or_without_padding(self) -> None:
        raw = bytes(range(224, 256))
        forms = [
            raw,
            base64.b64encode(raw).decode(),
            base64.urlsafe_b64encode(raw).decode(),
            base64.urlsafe_b64encode(raw).decode().rstrip("="),
            f" {base64.b64encode(raw).decode()}\n",
        ]
        assert len({ig.EncryptionMiddleware(form)._key_id for form in forms}) == 1

    @pytest.mark.parametrize("options", [{"fallback_keys": KEY}, {"event_data": "card"}, {"plain_fields": "order"}])
    def test_a_text_in_place_of_a_list_is_refused(self, options: Any) -> None:
        with pytest.raises(ig.ConfigError, match="are lists"):
            ig.EncryptionMiddleware(KEY, **options)

    def test_keys_are_not_the_same(self) -> None:
        assert len({ig.EncryptionMiddleware.generate_key() for _ in range(100)}) == 100

    async def test_declared_twice_it_encrypts_twice(self, path: pathlib.Path) -> None:
        outer, inner = ig.EncryptionMiddleware(KEY), ig.EncryptionMiddleware(OLD)
        app = ig.App("shop", middleware=[outer])

        @app.function("f", trigger="go", middleware=[inner])
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("one", lambda: SECRET)))

        one = await run_one(path, app)
        assert inner.decrypt(outer.decrypt(one.output)) == SECRET

    async def test_with_another_that_changes_data_inside(self, path: pathlib.Path) -> None:
        """What is moved away by the inner one is found again: the outer one, next to the record, decrypts first."""
        stored: dict[str, Any] = {}

        class Moves(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                value = await next()
                if step.memoized:
                    return stored[value["at"]]
                stored[step.hash] = value
                return {"at": step.hash}

            def transform_send_event(self, events: Sequence[ig.Event]) -> Sequence[ig.Event]:
                stored["event"] = events[0].data
                return [dataclasses.replace(events[0], data={"at": "event"})]

            def transform_function_input(self, input: ig.FunctionInput) -> ig.FunctionInput:
                return dataclasses.replace(input, events=(dataclasses.replace(input.events[0], data=stored[input.events[0].data["at"]]),))

        encryption = ig.EncryptionMiddleware(KEY, event_data=True)
        app = ig.App("shop", middleware=[encryption, Moves])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done([(yield ctx.step.run("one", lambda: SECRET)), dict(ctx.data)])

        async with engine(path, app) as its_engine:
            [id] = await app.send(ig.Event("go", {"n": 1}))
            [one] = await its_engine.run(ig.Event("go", id=id), timeout=PATIENCE_S)
        assert encryption.decrypt(one.output) == [SECRET, {"n": 1}]


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=json, purpose=st.sampled_from(["output", "event", "signal"]))
def test_every_json_value_is_read_back_the_same_and_never_looks_the_same_twice(value: Any, purpose: str) -> None:
    encryption = ig.EncryptionMiddleware(KEY)
    one, two = (encryption._sealed(value, purpose, "", "it") for _ in range(2))
    assert one != two
    assert encryption.decrypt([one, {"x": two}]) == [value, {"x": value}]


@given(value=json)
def test_plain_values_are_given_as_they_are(value: Any) -> None:
    assert ig.EncryptionMiddleware(KEY).decrypt(value) is value
