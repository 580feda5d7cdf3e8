"""The API page has every public name with the signature that it has in the code, and says what it is."""

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen import testing
from inngest_gen.app.tools import AITools, GroupTools, StepTools
from inngest_gen.engine import run as run_module
from inngest_gen.engine.progress import Progress
from inngest_gen.intents.step import Run as RunStep
from tests.docs.page import ROOT, Page

PAGE = Page.read(ROOT / "docs" / "reference" / "api.md")
OWNERS: dict[str, type] = {
    "ctx.step": StepTools,
    "ctx.step.ai": AITools,
    "ctx.group": GroupTools,
    "ctx": ig.Context,
    "app": ig.App,
    "step": RunStep,
    "handle": ig.DeferHandle,
    "engine": ig.Engine,
    "clock": ig.VirtualClock,
    "server": testing.Server,
    "middleware": ig.Middleware,
    "encryption": ig.EncryptionMiddleware,
}
# What the engine's own parts call on it is public to them, not to users.
FOR_USERS = {"encryption": {"decrypt"}, "engine": {"send", "run", "get", "runs", "wait", "cancel", "retry", "recording"}}

SERVER = {"Call", "DeferEntry", "RunStuck", "Server", "ServerError", "ServerRun", "StepEntry"}
"""The names of `inngest_gen.testing` that are the test server's."""


def sections() -> dict[str, tuple[str | None, str]]:
    """Each documented name with its signature as it is told, None where the heading has none, and the text below it."""
    found = {}
    for part in re.split(r"^### ", PAGE.text, flags=re.MULTILINE)[1:]:
        heading, text = part.split("\n", 1)
        name, signature = typing.cast("re.Match[str]", re.fullmatch(r"`([\w.]+)(\(.*\))?`", heading)).groups()
        assert name not in found, f"{name} is told twice"
        found[name] = signature, re.split(r"^## ", text, flags=re.MULTILINE)[0]
    return found


TOLD = sections()


def spelled(function: Callable[..., Any]) -> str:
    """A signature without types; of an overloaded function, that of the overload with the most parameters."""
    overloads = typing.get_overloads(function)
    widest = max(overloads, key=lambda one: len(inspect.signature(one).parameters)) if overloads else function
    signature = inspect.signature(widest)
    parameters = [one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values() if one.name != "self"]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def methods(owner: str) -> set[str]:
    own = {name for name, value in inspect.getmembers_static(OWNERS[owner], inspect.isfunction) if not name.startswith("_")}
    return own & FOR_USERS.get(owner, own)


def test_every_public_name_is_told_and_no_other() -> None:
    expected = (
        {f"ig.{name}" for name in ig.__all__}
        | {f"testing.{name}" for name in SERVER}
        | {f"{owner}.{name}" for owner in OWNERS for name in methods(owner)}
    )
    assert set(TOLD) ^ expected == set()


def test_every_method_of_the_engine_that_is_meant_for_users_exists() -> None:
    assert methods("engine") == FOR_USERS["engine"]


@pytest.mark.parametrize("name", TOLD)
def test_signature_is_the_one_in_the_code(name: str) -> None:
    told, text = TOLD[name]
    assert text.strip()
    if told is None:
        return
    owner, _, attribute = name.rpartition(".")
    thing = getattr({"ig": ig, "testing": testing}.get(owner) or OWNERS[owner], attribute)
    assert told == spelled(thing.__init__ if inspect.isclass(thing) else thing)


@pytest.mark.parametrize("name", ["ig.App", "ig.Engine", "ig.Event", "app.function", "testing.Server", "server.fault"])
def test_every_parameter_of_what_has_many_is_explained(name: str) -> None:
    told, text = TOLD[name]
    assert told is not None
    parameters = re.findall(r"(\w+)=|[(, ](\w+)[,)]", told)
    assert [one for pair in parameters for one in pair if one and f"`{one}`" not in text and one != "None"] == []


def attributes(cls: type) -> set[str]:
    own = {name for name in dir(cls) if not name.startswith("_") and not callable(getattr(cls, name))}
    return own | {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else own


def test_every_attribute_of_the_context_is_told() -> None:
    assert [name for name in attributes(ig.Context) if f"`ctx.{name}`" not in TOLD["ig.Context"][1]] == []


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("ig.Run", ig.Run),
        ("ig.Run", run_module.StepRecord),
        ("ig.Run", run_module.AttemptRecord),
        ("ig.Run", run_module.DeferRecord),
        ("ig.Run", run_module.Note),
        ("ig.Engine", Progress),
        ("ig.Winner", ig.Winner),
        ("testing.Server", testing.Server),
        ("testing.ServerRun", testing.ServerRun),
        ("testing.StepEntry", testing.StepEntry),
        ("testing.DeferEntry", testing.DeferEntry),
        ("testing.Call", testing.Call),
        ("ig.RunInfo", ig.RunInfo),
        ("ig.FunctionInput", ig.FunctionInput),
        ("ig.StepInfo", ig.StepInfo),
        ("ig.DeferInput", ig.DeferInput),
        ("ig.RequestInfo", ig.RequestInfo),
        ("ig.ReplyInfo", ig.ReplyInfo),
        ("ig.Registration", ig.Registration),
    ],
)
def test_every_attribute_of_a_record_is_told(name: str, cls: type) -> None:
    missing = {one for one in attributes(cls) if f"`{one}`" not in TOLD[name][1]}
    assert missing == set()
