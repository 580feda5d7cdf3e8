"""What hooks are told, attribute by attribute: nothing of it is live, nothing of it leads to a defer."""

import dataclasses
import pathlib
import pickle
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest

import inngest_gen as ig
from inngest_gen.calls.request import Parent
from inngest_gen.driver.fingerprint import fingerprint
from inngest_gen.ids import step_hash
from tests.engine.rig import of, run, step

ATTRIBUTES: dict[type, set[str]] = {
    ig.RunInfo: {"app_id", "function_id", "slug", "kind", "run_id", "attempt", "max_attempts", "events", "parents", "code"},
    ig.FunctionInput: {"run", "events"},
    ig.StepInfo: {"run", "id", "name", "kind", "hash", "memoized", "attempt", "args", "kwargs", "data", "options", "place"},
    ig.StepPlace: {"position", "index", "path", "at"},
    ig.DeferInput: {"id", "function", "run_id", "data", "meta"},
    ig.DeferInfo: {"run_id", "id", "hash", "function", "status", "name", "reason", "step", "experiment"},
    ig.RequestInfo: {"method", "url", "headers", "body", "slug"},
    ig.ReplyInfo: {"status", "headers", "body"},
    ig.Registration: {"app_id", "function_id"},
}


@pytest.mark.parametrize("cls", ATTRIBUTES)
def test_it_has_exactly_these_attributes(cls: Any) -> None:
    assert {field.name for field in dataclasses.fields(cls)} == ATTRIBUTES[cls]
    assert {name for name in dir(cls) if not name.startswith("_")} == ATTRIBUTES[cls]
    assert not hasattr(cls, "__dict__") or "__dict__" not in dir(cls)


@pytest.mark.parametrize("cls", ATTRIBUTES)
def test_it_is_frozen(cls: Any) -> None:
    value = object.__new__(cls)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, next(iter(ATTRIBUTES[cls])), 1)
    with pytest.raises((AttributeError, TypeError)):
        value.defer = 1


T = TypeVar("T")


class Keeps(ig.Middleware):
    """Keeps all that its hooks are told."""

    def __init__(self, kept: list[tuple[str, Any]]) -> None:
        self._kept = kept

    def _keep(self, hook: str, value: T) -> T:
        self._kept.append((hook, value))
        return value

    def restore_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
        return self._keep("restore_defer_input", defer)

    def transform_function_input(self, input: ig.FunctionInput) -> ig.FunctionInput:
        return self._keep("transform_function_input", input)

    def on_memoization_end(self, run: ig.RunInfo) -> None:
        self._keep("on_memoization_end", run)

    def on_run_start(self, run: ig.RunInfo) -> None:
        self._keep("on_run_start", run)

    async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
        self._keep("wrap_function", run)
        return await next()

    def on_run_complete(self, run: ig.RunInfo, output: Any) -> None:
        self._keep("on_run_complete", run)

    def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
        return self._keep("transform_step_input", step)

    def on_step_start(self, step: ig.StepInfo) -> None:
        self._keep("on_step_start", step)

    async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
        self._keep("wrap_step memoized" if step.memoized else "wrap_step", step)
        return await next()

    def on_step_complete(self, step: ig.StepInfo, output: Any) -> None:
        self._keep("on_step_complete", step)

    def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
        return self._keep("transform_defer_input", defer)

    def on_defer(self, defer: ig.DeferInfo) -> None:
        self._keep("on_defer", defer)

    def transform_send_event(self, events: Sequence[ig.Event]) -> Sequence[ig.Event]:
        return self._keep("transform_send_event", events)


async def test_what_the_hooks_of_a_run_are_told(path: pathlib.Path) -> None:
    kept: list[tuple[str, Any]] = []
    app = ig.App("shop", retries=2, middleware=[lambda: Keeps(kept)])

    def body(value: int, *, by: str) -> str:
        return f"{value}{by}"

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ig.Done()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run(ig.Id("one", name="The first"), body, 1, by="me")
        yield ctx.defer(ig.Id("d", name="The note"), note, {"n": 1}, meta={"sessions": {"s": "x"}})
        yield ig.Done()

    runs = await run(path, app, ig.Event("go", {"x": 1}, id="e1", ts=1_790_000_000_000))
    parent, child = of(runs, "f"), of(runs, "note")
    told: dict[str, Any] = {}
    for hook, value in kept:
        told.setdefault(hook, []).append(value)

    run_info = ig.RunInfo(
        app_id="shop", function_id="f", slug="shop-f", kind="main", run_id=parent.id, attempt=0, max_attempts=3,
        events=(ig.Event("go", {"x": 1}, id="e1", ts=1_790_000_000_000),), parents=(),
        code=f.code,
    )  # fmt: skip
    steering = ("restore_defer_input", "transform_function_input", "transform_step_input", "wrap_step", "wrap_function")
    prints = [fingerprint(one) for one in (f.handler, *(getattr(Keeps, name) for name in steering))]
    assert f.code == {name: found for one in prints for name, found in one.items()}
    for hook in ("on_memoization_end", "on_run_start", "wrap_function", "on_run_complete"):
        assert told[hook][0] == run_info
    assert told["transform_function_input"][0] == ig.FunctionInput(run=run_info, events=run_info.events)
    step_info = ig.StepInfo(
        run=run_info, id="one", name="The first", kind="step.run", hash=step(parent, "one").hash, memoized=False, attempt=None,
        args=(1,), kwargs={"by": "me"}, data=None,
    )  # fmt: skip
    assert told["transform_step_input"] == [step_info]
    for hook in ("on_step_start", "wrap_step", "on_step_complete"):
        assert told[hook] == [dataclasses.replace(step_info, attempt=0)]
    place = ig.StepPlace(position=0, index=0, path="", at=step(parent, "one").at)
    assert told["wrap_step memoized"] == [dataclasses.replace(step_info, memoized=True, place=place)]
    assert told["transform_defer_input"] == [
        ig.DeferInput(id="d", function="shop-note", run_id=parent.id, data={"n": 1}, meta={"sessions": {"s": "x"}})
    ]
    assert told["restore_defer_input"] == [
        ig.DeferInput(id=None, function="shop-note", run_id=parent.id, data={"n": 1}, meta={"sessions": {"s": "x"}})
    ]
    assert told["on_defer"] == [
        ig.DeferInfo(run_id=parent.id, id="d", hash=step_hash("d"), function="shop-note", status="made", name="The note")
    ]
    deferred = told["on_run_start"][1]
    assert (deferred.kind, deferred.run_id, deferred.parents) == ("defer", child.id, (Parent(run_id=parent.id, fn_slug="shop-f"),))
    assert deferred.events[0].data == {"n": 1}  # without the engine's own key

    # Nothing live hangs on any of it: it all survives pickling, and is the same.
    for hook, value in kept:
        assert pickle.loads(pickle.dumps(value)) == value, hook
