"""Commands: every one can be asked for as JSON and as words; what is wrong with a request is its answer."""

import json
import re
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.debugger.commands import COMMANDS, find, perform, request_of, usage
from inngest_gen.debugger.session import Session
from inngest_gen.errors import MisuseError
from tests.debugger import rig
from tests.debugger.rig import session_of
from tests.driver.corpus import echo, fails


async def inner(ctx: ig.Context, n: int) -> ig.Flow:
    yield ctx.step.run("inner", echo, n)


async def handler(ctx: ig.Context) -> ig.Flow:
    seen = []
    for n in range(3):
        found = yield ctx.step.run("add", echo, n)
        seen.append(found)
    yield inner(ctx, 1)
    try:
        yield ctx.step.run("fails", fails, "no")
    except ig.StepError:
        seen.append(None)
    yield ctx.step.run("last", echo, 2)
    yield ig.Done(seen)


async def ask(session: Session, command: str, **given: Any) -> Any:
    answer = await perform(session, {"id": 7, "command": command, **given})
    assert json.loads(json.dumps(answer)) == answer
    assert (answer["id"], answer["command"]) == (7, command)
    assert "error" not in answer, answer["error"]
    [key] = set(answer) - {"id", "command"}
    assert key == find(command).key
    return answer[key]


async def test_every_command_answers() -> None:
    session = await session_of(handler, live=True)
    asked: set[str] = set()

    async def do(command: str, **given: Any) -> Any:
        asked.add(command)
        return await ask(session, command, **given)

    assert (await do("start"))["number"] == 0
    assert (await do("step"))["intent"]["id"] == "add"
    assert (await do("step", count=2))["number"] == 3
    assert (await do("over"))["intent"]["kind"] == "sub-flow"
    assert (await do("in"))["intent"]["id"] == "inner"
    assert (await do("out"))["intent"]["id"] == "fails"
    assert (await do("back", count=3))["number"] == 3
    assert (await do("goto", number=1))["number"] == 1
    assert (await do("run_to", target="inner"))["number"] == 5
    assert (await do("run_to", target="add", backwards=True))["number"] == 3
    assert (await do("finish"))["state"] == "ended"
    assert (await do("back_to", target="add"))["number"] == 3
    breakpoint = await do("break", target="add", condition="n == 1", hits=None, log=None)
    assert breakpoint == {"id": 1, "target": "add", "line": None, "condition": "n == 1", "hits": None, "log": None}
    assert (await do("reverse"))["number"] == 2
    assert await do("breakpoints") == [breakpoint]
    assert await do("clear", number=1) is None
    assert (await do("continue"))["state"] == "ended"
    await ask(session, "run_to", target="last", backwards=True)
    assert (await do("stop"))["intent"]["id"] == "last"
    [seen] = [one for one in await do("locals") if one["name"] == "seen"]
    assert seen["text"] == "[0, 1, 2, None]"
    assert [one["text"] for one in await ask(session, "locals", frame=0, path=seen["path"], start=1, count=2)] == ["1", "2"]
    assert (await do("evaluate", expression="len(seen)"))["value"]["text"] == "4"
    assert (await do("last_change", local="seen"))["after"] == "[0, 1, 2, None]"
    assert [one["name"] for one in await do("changes_since", number=6)] == ["seen"]
    assert len(await do("trail")) == 10
    assert await do("unstable") == []
    assert await do("result", step=session.recording.steps[1].hash) == 1
    assert (await do("replace", step="last", result=9))["history"] == "what if 1"
    assert (await do("fail", step="last", error="ValueError: x"))["intent"]["memo"]["error"]["name"] == "ValueError"
    assert [(one["name"], one["current"]) for one in await do("histories")] == [
        ("recorded", False),
        ("what if 1", False),
        ("what if 2", True),
    ]
    assert (await do("switch", name="recorded"))["history"] == "recorded"
    assert (await do("match_by_id"))["history"] == "by id 3"
    assert (await do("check"))["compatible"] is True
    assert any("async def handler" in line for line in await do("source", file=__file__))
    never = Session(
        type(session.recording)(run_id=session.recording.run_id, function="test-f", events=(ig.Event("go"),)), session.function, live=True
    )
    session = never
    await ask(session, "finish")
    assert (await do("live"))["intent"]["memo"]["how"] == "live"
    # `reload` is tested where there are files to edit.
    assert asked | {"reload"} == {command.name for command in COMMANDS}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "there is no command None; there are: start, step"),
        ({"command": "fly"}, "there is no command 'fly'"),
        ({"command": ["step"]}, "there is no command"),
        ({"command": "step", "counts": 1}, "step takes no counts; it takes: count"),
        ({"command": "finish", "x": 1}, "finish takes no x; it takes: none"),
        ({"command": "goto"}, "goto needs number"),
        ({"command": "goto", "number": None}, "goto needs number"),
        ({"command": "goto", "number": "1"}, "goto: number must be an integer, not str"),
        ({"command": "goto", "number": True}, "goto: number must be an integer, not bool"),
        ({"command": "locals", "path": [1, "x"]}, "locals: path must be a list of integers, not list"),
        ({"command": "run_to", "target": "a", "backwards": 1}, "backwards must be true or false"),
        ({"command": "run_to", "target": "if 1 +"}, "is no expression"),
        ({"command": "clear", "number": 9}, "there is no breakpoint 9"),
        ({"command": "replace", "step": "add", "result": 1}, "3 steps have the id 'add'"),
        ({"command": "live"}, "nothing is run for real"),
    ],
)
async def test_what_is_wrong_is_the_answer(request_: dict[str, Any], words: str) -> None:
    session = await session_of(handler)
    answer = await perform(session, {**request_, "id": 1})
    assert answer["id"] == 1
    assert re.search(words, answer["error"]["message"])
    assert (await ask(session, "step"))["number"] == 1


async def test_a_session_begins_with_its_first_move() -> None:
    session = Session(rig.of_corpus()["linear"], rig.CORPUS)
    answer = await perform(session, {"command": "stop"})
    assert answer["error"]["message"] == "the session has not begun: `await session.start()`"


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("step", {"command": "step"}),
        (" s 3 ", {"command": "step", "count": 3}),
        ("b", {"command": "back"}),
        ("g 7", {"command": "goto", "number": 7}),
        ("r if n > 1 and x", {"command": "run_to", "target": "if n > 1 and x"}),
        ("rb shop.py:7", {"command": "back_to", "target": "shop.py:7"}),
        ("break add if n == 2", {"command": "break", "target": "add", "condition": "n == 2"}),
        ("break if n == 2", {"command": "break", "target": "if n == 2"}),
        ("p [n for n in seen]", {"command": "evaluate", "expression": "[n for n in seen]"}),
        ("l", {"command": "locals"}),
        ("l 0 1.2", {"command": "locals", "frame": 0, "path": [1, 2]}),
        ('replace price {"a": [1, 2]}', {"command": "replace", "step": "price", "result": {"a": [1, 2]}}),
        ("replace price null", {"command": "replace", "step": "price", "result": None}),
        ("fail price ValueError: too much", {"command": "fail", "step": "price", "error": "ValueError: too much"}),
        ("switch what if 1", {"command": "switch", "name": "what if 1"}),
        ("lc total", {"command": "last_change", "local": "total"}),
    ],
)
def test_words_become_requests(line: str, request_: dict[str, Any]) -> None:
    assert request_of(line) == request_


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "there is no command ''"),
        ("fly", "there is no command 'fly'"),
        ("step x", "step: COUNT is a number, not 'x'"),
        ("replace price {", "replace: RESULT is JSON, not"),
        ("l 0 a.b", "locals: PATH is numbers with dots between them"),
        ("finish now", "finish takes no more than 'finish'"),
        ("goto 1 2", "goto takes no more than 'goto NUMBER'"),
    ],
)
def test_words_that_are_no_request_are_refused(line: str, words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        request_of(line)


def test_names_and_short_forms_are_each_used_once() -> None:
    names = [name for command in COMMANDS for name in (command.name, *command.short)]
    assert len(names) == len(set(names))
    assert not {"quit", "q", "exit", "help", "?", "walk"} & set(names)
    assert usage(find("goto")) == "goto NUMBER"
    assert usage(find("b")) == "back [COUNT]"
