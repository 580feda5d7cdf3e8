"""The reference of the test kit has every public name with the signature that it has in the code, and tells every attribute.

The test server's names and its errors are on the API page.
"""

import dataclasses
import inspect
import re
from typing import Any

import pytest

from inngest_gen import testing
from tests.docs.page import ROOT, Page
from tests.docs.test_reference import attributes, spelled

PAGE = Page.read(ROOT / "docs" / "reference" / "testing.md")
OWNERS: dict[str, type] = {
    "engine": testing.MemoryEngine,
    "playing": testing.Playing,
    "simulation": testing.Simulation,
    "simulated": testing.Simulated,
}
# What the kit's own parts call on it is public to them, not to users.
FOR_USERS = {"send", "play", "settle", "cancel", "retry", "results", "run_until", "finish", "run", "engine"}


def own_names() -> set[str]:
    server = ("inngest_gen.testing.server", "inngest_gen.errors")
    return {name for name, module in testing._LAZY.items() if not module.startswith(server)}


def sections() -> dict[str, tuple[str | None, str]]:
    """Each documented name with its signature as it is told, None where the heading has none, and the text below it."""
    found = {}
    for part in re.split(r"^### ", PAGE.text, flags=re.MULTILINE)[1:]:
        heading, text = part.split("\n", 1)
        for one in heading.split(", "):
            match = re.match(r"`([\w.]+)(\(.*)?", heading if "(" in heading else one)
            assert match is not None, heading
            name, signature = match.groups()
            if name not in found:
                found[name] = None if signature is None else signature.rstrip("`"), re.split(r"^## ", text, flags=re.MULTILINE)[0]
    return found


TOLD = sections()


def test_every_public_name_is_told_and_no_other() -> None:
    methods = {
        f"{owner}.{name}"
        for owner, cls in OWNERS.items()
        for name, _ in inspect.getmembers_static(cls, inspect.isfunction)
        if name in FOR_USERS
    }
    assert set(TOLD) ^ ({f"testing.{name}" for name in own_names()} | methods) == set()


@pytest.mark.parametrize("name", TOLD)
def test_signature_is_the_one_in_the_code(name: str) -> None:
    told, text = TOLD[name]
    assert text.strip()
    if told is None:
        return
    owner, _, attribute = name.rpartition(".")
    thing: Any = getattr(testing if owner == "testing" else OWNERS[owner], attribute)
    assert told == spelled(thing.__init__ if inspect.isclass(thing) else thing)


@pytest.mark.parametrize(
    "cls",
    [
        testing.Result,
        testing.StepResult,
        testing.DeferResult,
        testing.Playing,
        testing.Determinism,
        testing.KillPoints,
        testing.Simulated,
        testing.Simulations,
    ],
    ids=lambda cls: cls.__name__,
)
def test_every_attribute_is_told(cls: Any) -> None:
    own = attributes(cls)
    if not dataclasses.is_dataclass(cls):
        own |= set(re.findall(r"self\.([a-z]\w*): ", inspect.getsource(cls.__init__)))
    missing = {one for one in own if f"`{one}`" not in TOLD[f"testing.{cls.__name__}"][1]}
    assert missing == set()
