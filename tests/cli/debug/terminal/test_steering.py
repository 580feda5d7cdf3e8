"""The view without a terminal: what keys do and what is shown then, on both loops."""

import importlib
import pathlib
import sys
import threading
import time

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from inngest_gen.debugger import Session
from tests.cli.debug.terminal import rig
from tests.cli.debug.terminal.rig import Desk, desk, on
from tests.debugger import rig as debugger_rig
from tests.debugger.rig import line_of


def has(desk: Desk, *texts: str) -> str:
    screen = desk.screen()
    for text in texts:
        assert text in screen, f"{text!r} is not in\n{screen}"
    return screen


def numbers(desk: Desk, action: str) -> list[int]:
    """The stops that a key leads to, until it leads nowhere."""
    found = [desk.shown.stop.number]
    while desk.press(action).shown.stop.number != found[-1]:
        found.append(desk.shown.stop.number)
    return found


# Moves.


def test_forward_to_the_end_and_back_to_the_start_show_the_same(loop: str) -> None:
    with desk(loop) as view:
        forward = {0: view.screen()}
        while not view.shown.stop.is_last:
            view.press("step")
            forward[view.shown.stop.number] = view.screen()
        assert list(forward) == list(range(10))
        has(view, "the handler returned {'amount': 17, 'parcel': 'a parcel with 0 things'}, as", "          recorded")
        while view.shown.stop.number:
            view.press("back")
            number = view.shown.stop.number
            assert view.screen().replace("· back", "· step").splitlines()[1:] == forward[number].splitlines()[1:]
        assert numbers(view, "step") == list(range(10))
        assert view.shown.message == ("this is the last stop; b goes back",)


def test_a_screen_of_80_by_24_has_everything(loop: str) -> None:
    with desk(loop) as view:
        screen = has(view.press("step", "step", "step", "step"), "stop 4/9 · step", "─ locals of total < order ─")
        line = line_of(rig.total, "yield ctx.step.run")
        for text in (
            f"▶  {line}         amount += yield ctx.step.run(", "step.run 'price' price_of('tea') in total", "result    4  (rank 3)",
            "*  amount = 9  was 0", "*  item = 'tea'  was 'cup'", "│▶ 4 ✓   price 4", "│  2 ↳ total", "s step  b back",
        ):  # fmt: skip
            assert text in screen
        assert all(len(one) <= 80 for one in screen.splitlines())
        has(view.press("start", "step"), "printed   an order: o1")


def test_in_out_and_over_follow_the_sub_flow(loop: str) -> None:
    with desk(loop) as view:
        assert view.press("step", "step").shown.stop.intent.kind == "sub-flow"
        assert view.press("over").shown.stop.intent.id == "ship"
        assert view.press("back", "back", "back").shown.stop.number == 4
        assert view.press("goto").shown.prompt.label == "go to stop> "
        view.steering.answered("2")
        view.rest()
        assert view.press("in").shown.stop.intent.id == "price"
        assert view.press("out").shown.stop.intent.id == "ship"
        assert view.press("finish").shown.stop.number == 9
        assert view.press("start").shown.stop.number == 0


def test_targets_frontier_divergence_and_errors(loop: str) -> None:
    with desk(loop, "fork") as view:
        assert view.press("error").shown.stop.intent.id == "find"
        has(view, "error     ValueError: no such thing", "✗ find ↻2 ValueError")
        assert view.press("error").shown.message == ("there is no error after this",)
        assert view.press("error_back").shown.stop.intent.id == "find"
        assert view.press("frontier").shown.message == ("this history has no frontier: the handler ends before the record does",)
        assert view.press("divergence").shown.message == ("the replay never leaves the record",)
        assert view.type("back_to", "charge").shown.stop.intent.id == "charge"
        assert view.type("run_to", "step.sleep").shown.stop.intent.id == "nap"
        assert view.type("run_to", "charge").shown.message == ("charge was not met on the way",)
        view.type("goto", "x")
        assert (view.shown.failed, view.shown.message) == (True, ("a stop's number is wanted, not 'x': the timeline has them",))


# Breakpoints.


def test_breakpoints_on_lines_and_at_targets(loop: str) -> None:
    with desk(loop) as view:
        line = line_of(rig.total, "yield ctx.step.run")
        view.type("run_to", "price")
        has(view.press("toggle"), "breakpoint 1 is set", f"▶● {line} ", "▶●3 ✓   price")
        assert [view.press("continue").shown.stop.number for _ in range(3)] == [4, 5, 9]
        assert view.shown.message == ("no breakpoint was met after there",)
        assert view.press("reverse").shown.stop.number == 5
        assert "stop 5/9 · breakpoint 1" in view.screen()
        has(view.press("toggle"), "breakpoint 1 is gone")
        view.type("break", "price if amount == 9")
        assert view.shown.message == ("breakpoint 2 is set: price if amount == 9",)
        assert view.press("start", "continue").shown.stop.number == 4
        assert view.press("breakpoints").shown.message == ("2: price if amount == 9",)
        assert view.type("command", "clear").shown.message == ("cleared",)
        assert view.press("continue").shown.message == ("there are no breakpoints: B sets one",)
        assert view.type("break", "price if (").shown.failed


def test_a_breakpoint_on_a_line_that_is_not_a_yield_says_where_it_stops(loop: str) -> None:
    with desk(loop) as view:
        view.type("run_to", "price").press("up", "up", "up", "toggle")
        line = line_of(rig.total, "yield ctx.step.run")
        assert view.shown.message == (f"breakpoint 1 is set, where the next yield is (line {line})",)
        view.press("page_up", "page_up", "page_up", "page_up", "page_up", "page_up", "page_up", "page_up", "toggle")
        assert view.shown.failed


# Looks.


def test_expressions_are_evaluated_in_the_chosen_frame(loop: str) -> None:
    with desk(loop) as view:
        view.type("run_to", "price")
        assert view.type("evaluate", "lines is order['lines']").shown.message == ("lines is order['lines'] = True",)
        assert view.press("evaluate").shown.prompt.label == "eval in total> "
        view.steering.abandoned()
        has(view.press("outer"), "locals of total < order", "▷ ")
        assert view.press("evaluate").shown.prompt.label == "eval in order> "
        view.steering.answered("lines")
        view.rest()
        assert (view.shown.failed, view.shown.message) == (True, ("! NameError: name 'lines' is not defined",))
        assert view.press("inner").shown.chosen == 0
        assert view.type("evaluate", "print('hi') or 3").shown.message == ("printed hi", "print('hi') or 3 = 3")
        assert view.press("finish", "evaluate").shown.message == ("there is no frame here to evaluate in: b goes back to one",)


def test_when_a_local_last_changed_and_going_there(loop: str) -> None:
    with desk(loop) as view:
        view.type("run_to", "ship")
        view.type("why", "order")
        assert view.shown.message[0].startswith("order last changed before stop 5, step.run 'price' at rig.py:")
        assert view.shown.message[1] == "{'lines': ['tea']} -> {'lines': []}"
        assert view.press("goto").shown.prompt.label == "go to stop [5]> "
        view.steering.answered("")
        view.rest()
        assert view.shown.stop.number == 5
        assert view.press("why").shown.prompt.default == "order"  # the first that has changed


def test_values_are_opened_and_shut(loop: str) -> None:
    with desk(loop) as view:
        view.type("run_to", "ship")
        view.press("next_pane", "next_pane")
        assert view.shown.focus == "locals"
        view.press("down", "enter")
        has(view, " ▾ order = {'lines': []}", "     'lines' = []")
        view.press("back")  # the stop before is in the sub-flow, where `order` is another frame's
        assert "     'lines' = []" not in view.screen()
        view.press("step")
        assert "     'lines' = []" in view.screen()
        view.press("down", "enter")
        assert "     'lines' = []" not in view.screen()


def test_branches_defers_and_frames_of_other_branches(loop: str) -> None:
    with desk(loop, "fork") as view:
        view.type("run_to", "rate")
        screen = has(view, "─ branches ─", "─ defers ─", "→ receipt: sent, scheduled as ", "[1] quote · running", "✓ [0] step.run 'stock'")
        assert "locals of quote < fork" in screen
        view.type("back_to", "group.parallel")
        assert view.shown.stop.intent.kind == "group.parallel"
        wide = view.screen(150, 40)
        assert "charge ↻1 7" in wide
        view.press("next_pane", "next_pane", "next_pane", "zoom")
        assert "─ source" not in view.screen()
        assert "timeline" in view.screen().splitlines()[1]
        view.press("escape")
        assert "─ locals of fork ─" in view.screen()


def test_the_timeline_leads_to_its_stops(loop: str) -> None:
    with desk(loop) as view:
        view.press("previous_pane")
        assert view.shown.focus == "timeline"
        view.press("down", "down", "down", "enter")
        assert view.shown.stop.number == 3


# What if.


def test_another_result_makes_a_history_of_its_own(loop: str) -> None:
    with desk(loop) as view:
        view.type("run_to", "price")
        assert view.press("what_if").shown.prompt.text == "9"
        view.steering.answered("100")
        view.rest()
        has(view, "stop 3/9 · edited", "history 'what if 1'", "result    100  (rank 2, replaced)", "▶ 3 ✓   price ✎replaced 100")
        has(view.press("finish"), "'amount': 108", "otherwise than recorded")
        assert view.press("histories").shown.stop.history == "recorded"
        has(view, "'amount': 17")
        view.press("histories").press("goto")
        view.steering.answered("3")
        view.rest()
        view.type("what_if", "!KeyError: gone")
        has(view, "error     KeyError: gone  (rank 2, replaced)")
        assert view.type("what_if", "gone").shown.message[0].startswith("'gone' is no JSON: texts stand in \"quotes\"")


def test_what_if_needs_a_step(loop: str) -> None:
    with desk(loop) as view:
        assert view.press("what_if").shown.message[0].startswith("this stop is not at a step")
        assert view.press("histories").shown.message == ("there is only the recorded history: w makes another",)
        view.press("previous_pane", "down", "down")
        assert view.press("what_if").shown.message[0].startswith("stop 2 is not at a step")
        view.press("up")
        assert view.press("what_if").shown.prompt.label.startswith("load gives")


def test_live_steps_need_leave(loop: str) -> None:
    import dataclasses

    recording = dataclasses.replace(rig.recorded("order/placed"), steps=(), status="running", output=None, code=None)
    with desk(loop, recording=recording) as view:
        assert view.press("frontier").shown.stop.state == "frontier"
        has(view, "none yet: this is the frontier", "◌ load")
        assert view.press("live").shown.failed
    with desk(loop, recording=recording, live=True) as view:
        assert view.press("frontier", "live").shown.stop.reason == "live"
        has(view, "(rank 1, live)", "history 'live 1'")


# Words, texts, code.


def test_commands_by_their_words_and_the_log(loop: str) -> None:
    with desk(loop) as view:
        assert view.type("command", "step 3").shown.stop.number == 3
        view.type("command", "trail")
        assert view.page()[3] == "   3 ✓ step.run 'price' in total  " + view.page()[3].rpartition("  ")[2]
        view.press("quit")
        assert view.shown.pager is None
        assert view.type("command", "fly").shown.message[0].startswith("there is no command 'fly'")
        view.type("command", "log")
        assert view.page()[:2] == ("> step step 3", "stop 3 · step") or view.page()[0].startswith("> step")
        view.press("escape")
        view.type("command", "printed")
        assert view.page() == ("beside",)
        view.press("escape").type("command", "help")
        assert any(line.startswith("log ") for line in view.page())
        view.press("page_down", "down", "page_up", "up", "escape").type("command", "quit")
        assert view.left == [0]


def test_the_code_is_checked_and_what_cannot_be_reloaded_is_said(loop: str) -> None:
    with desk(loop) as view:
        assert view.press("check").shown.message == ("compatible: 5 of 5 recorded steps were asked for; the code is that of the recording",)
        assert view.press("match_by_id").shown.histories == 2


EDITED = """
import inngest_gen as ig

app = ig.App("edited")

@app.function("f", trigger="go")
async def f(ctx):
    yield ctx.step.run("one", int, "1")
    yield ctx.step.run("two", int, "2")
"""


def test_edited_code_is_reloaded_and_its_divergence_found(loop: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "edited_by_hand.py"
    file.write_text(EDITED)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("edited_by_hand")
    recording = anyio.run(debugger_rig.recorded, module.app)
    try:
        with on(Session(recording, module.app), loop) as view:
            view.press("step", "step")
            file.write_text(EDITED.replace("two", "three") + "# longer, whatever the clock says\n")
            view.press("reload")
            assert view.page()[:2] == ("not compatible: at position 1", "  recorded  step.run 'two' at edited_by_hand.py:9")
            assert "  likely    the code is not that which made the record" in view.page()[3]
            has(view.press("divergence"), "stop 2/2 · divergence", "code changed", "yielded   step.run 'three'", "✗ divergence")
            has(view.press("match_by_id"), "history 'by id 1'", "◌ three")
            file.write_text("def (")
            view.press("reload")
            assert view.shown.failed
            assert view.page()[-1].startswith("SyntaxError")
            assert not any("importlib" in line for line in view.page())
            assert view.press("back").shown.pager is None
            assert view.shown.stop.number == 1
    finally:
        sys.modules.pop("edited_by_hand", None)


def test_help_tells_every_key(loop: str) -> None:
    with desk(loop) as view:
        screen = view.press("help").screen(80, 60)
        for key in ("s → Space", "reverse continue", "when did a local last change", "quit (Ctrl-C as well)"):
            assert key in screen
        assert view.press("help").shown.pager is None


# While the handler's own code takes its time.


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A handler whose code between yields takes 20 ms a yield; set, it goes on at once."""
    free = threading.Event()
    monkeypatch.setattr(rig, "SLOW", lambda: free.wait(0.02))
    return free


def test_a_long_move_is_told_and_can_be_interrupted(loop: str, slow: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as quick:
        quick.setattr(rig, "SLOW", rig._quick)
        recording = rig.recorded("long", 900)
    slow.set()
    with desk(loop, recording=recording) as view:
        view.press("step", "step")
        slow.clear()
        view.steering.press("finish")
        view.steering.press("back")  # waits its turn
        view.until(lambda: view.steering.tick() is None and view.shown.busy is not None and view.shown.busy.reached > 3)
        assert view.shown.busy.what in {"back", "finish"}
        assert "Esc interrupts" in view.screen().splitlines()[-1]
        began = time.monotonic()
        view.steering.press("escape")
        view.rest()
        assert time.monotonic() - began < 5
        assert view.shown.message == ("interrupted: finish; still at stop 2",)
        slow.set()
        # It can be looked into and moved as before.
        assert view.type("evaluate", "n + 1").shown.message == ("n + 1 = 2",)
        assert view.press("step").shown.stop.number == 3


def test_keys_work_while_every_stop_is_being_looked_at(loop: str, slow: threading.Event) -> None:
    recording = rig.recorded("long", 900)
    session = Session(recording, rig.app)
    with start_blocking_portal(backend=loop) as portal:
        portal.call(session.start)
        view = Desk(session, portal)
        assert "every stop is being looked at" in view.screen()
        view.steering.press("step")
        view.until(lambda: view.shown.stop.number == 1)
        assert not view.steering.is_busy()
        slow.set()
        view.rest()
        assert len(view.shown.marks or ()) == 902
        assert view.steering.close(5)
        session.close()
