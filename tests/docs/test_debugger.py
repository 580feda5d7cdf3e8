"""The debugger's pages have every public name, every command with its arguments, and every key of a stop."""

import dataclasses
import inspect
import re

import inngest_gen as ig
from inngest_gen import debugger
from inngest_gen.debugger.commands import COMMANDS
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Deferred, Divergence, End, Frame, Intent, Node, Place, Recorded, Settled, Unstable
from inngest_gen.debugger.target import KINDS
from tests.docs.page import ROOT, Page
from tests.docs.test_reference import spelled

REFERENCE = Page.read(ROOT / "docs" / "reference" / "debugger.md")
DESIGN = Page.read(ROOT / "docs" / "design" / "debugger.md")

SECTIONS = {
    name: (signature, text.split("\n## ")[0])
    for name, signature, text in re.findall(r"^### `(\w+)(\([^\n]*\))?`\n(.*?)(?=^### |\Z)", REFERENCE.text, re.MULTILINE | re.DOTALL)
}
METHODS = {name for name, value in inspect.getmembers_static(Session, inspect.isfunction) if not name.startswith("_")}


def test_every_public_name_and_every_method_of_a_session_is_told_and_no_other() -> None:
    assert set(SECTIONS) ^ ({*debugger.__all__} | METHODS) == set()


def test_signatures_are_those_in_the_code() -> None:
    wrong = {}
    for name, (signature, text) in SECTIONS.items():
        assert text.strip()
        if not signature:
            continue
        thing = getattr(Session if name in METHODS else debugger, name)
        if name == "check":  # the function is told; a session's method has the same name
            assert signature in {"()", "(recording, app)"}
            continue
        real = spelled(thing.__init__ if inspect.isclass(thing) else thing)
        if re.sub(r"<object object at \w+>", "...", real) != signature:
            wrong[name] = real
    assert wrong == {}


def test_every_attribute_of_a_value_is_told() -> None:
    missing = []
    for name in debugger.__all__:
        cls = getattr(debugger, name)
        if dataclasses.is_dataclass(cls) and name not in {"Recording", "Stop"}:
            missing += [f"{name}.{one.name}" for one in dataclasses.fields(cls) if f"`{one.name}`" not in SECTIONS[name][1]]
    missing += [f"Session.{name}" for name in vars(Session(*_anything())) if not name.startswith("_") and f"`{name}`" not in REFERENCE.text]
    assert missing == []


def _anything() -> tuple[debugger.Recording, ig.App]:
    from tests.debugger import rig

    return rig.of_corpus()["linear"], rig.CORPUS


def test_every_key_of_a_stop_is_told() -> None:
    table = DESIGN.text.partition("## Stops")[2].partition("## Going back")[0]
    told = set(re.findall(r"`(\w+)`", table))
    parts = (debugger.Stop, Intent, Recorded, Place, Frame, Node, Settled, Deferred, End, Divergence, Unstable, debugger.Variable)
    assert sorted({one.name for part in parts for one in dataclasses.fields(part)} - told) == []


def test_the_table_of_commands_is_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\|(.*?)\| `(\w+)` \| (.*?) \|$", DESIGN.text, re.MULTILINE)
    told = [
        (name, re.findall(r"`(\w+)`", short), re.findall(r"`(\w+)`", arguments), key, words) for name, short, arguments, key, words in rows
    ]
    assert [(*row[:4], row[4].replace("`", "")) for row in told] == [
        (one.name, list(one.short), [parameter.name for parameter in one.parameters], one.key, one.help.replace("COUNT", "count"))
        for one in COMMANDS
    ]


def test_the_kinds_that_are_targets_are_told_by_example() -> None:
    table = SECTIONS["run_to"][1]
    told = set(re.findall(r'`"([\w. -]+)"`', table))
    assert {"step.sleep", "group.race", "sub-flow", "ig.Done"} <= told & KINDS
