"""The screens in 'Debugging a run' are what the terminal view shows after those keys; `INNGEST_GEN_UPDATE=1` writes them anew."""

import asyncio
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import inngest_gen as ig
from inngest_gen.debugger import Recording, Session
from tests.cli.debug.terminal.rig import Desk, on
from tests.docs.page import ROOT, Page
from tests.engine import rig as engines

PAGE = ROOT / "docs" / "debugging.md"
SCREEN = re.compile(r"^<!-- (screen|lines): (.*?) -->\n```text\n(.*?)```$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"shop-order \w{6} ")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ig.App]:
    """The page's first shop, in a file of that name."""
    block = next(block for block in Page.read(PAGE).blocks() if block.file == "shop.py")
    (tmp_path / "shop.py").write_text(block.text)
    spec = importlib.util.spec_from_file_location("shop", tmp_path / "shop.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["shop"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.app
    del sys.modules["shop"]


async def recorded(app: ig.App, path: Path) -> Recording:
    async with engines.engine(path, app) as engine:
        [run] = await engine.run(ig.Event("order/placed", {"order_id": "o1"}))
        return await engine.recording(run.id)


def press(view: Desk, keys: str) -> None:
    """Press keys such as `back back goto=3 evaluate=a + b`; only the last may have blanks in what is typed."""
    while keys:
        action, _, rest = keys.partition(" ")
        if "=" in action:
            action, _, typed = action.partition("=")
            typed, rest = (f"{typed} {rest}".strip(), "") if action == "evaluate" else (typed, rest)
            view.type(action, typed)
        else:
            view.press(action)
        keys = rest


def test_screens_are_what_is_shown(shop: ig.App, tmp_path: Path) -> None:
    session = Session(asyncio.run(recorded(shop, tmp_path / "run.db")), shop)
    text = PAGE.read_text()
    wrong = []
    with on(session, "asyncio") as view:
        for kind, keys, told in SCREEN.findall(text):
            press(view, keys)
            shown = RUN.sub("shop-order 7VRME0 ", view.screen()) if kind == "screen" else "\n".join(view.shown.message)
            if told != f"{shown}\n":
                wrong.append(shown)
                text = text.replace(f"{kind}: {keys} -->\n```text\n{told}```", f"{kind}: {keys} -->\n```text\n{shown}\n```")
    if os.environ.get("INNGEST_GEN_UPDATE"):
        PAGE.write_text(text)
    assert wrong == []
