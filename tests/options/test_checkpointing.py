"""Checkpointing is on by default, for an app and for a function of its own."""

from typing import Any

import pytest

import inngest_gen as ig


async def handler(ctx: ig.Context) -> None:
    pass


def test_a_function_checkpoints_as_its_app_does() -> None:
    own = ig.Checkpointing(buffered_steps=5, max_interval="1m", max_runtime=None)
    assert ig.App("a").function("f")(handler).options.checkpointing == ig.Checkpointing(1, None, "10s")
    assert ig.App("a", checkpointing=False).function("f")(handler).options.checkpointing is None
    assert ig.App("a", checkpointing=own).function("f")(handler).options.checkpointing is own
    assert ig.App("a", checkpointing=own).deferred("f")(handler).options.checkpointing is own


def test_a_function_can_say_otherwise() -> None:
    own = ig.Checkpointing(buffered_steps=5)
    app = ig.App("a", checkpointing=own)
    assert app.function("f", checkpointing=False)(handler).options.checkpointing is None
    assert app.function("g", checkpointing=True)(handler).options.checkpointing is own
    assert app.deferred("h", checkpointing=ig.Checkpointing(2))(handler).options.checkpointing == ig.Checkpointing(2)
    assert ig.App("b", checkpointing=False).function("f", checkpointing=True)(handler).options.checkpointing == ig.Checkpointing()


def test_a_failure_handler_checkpoints_as_its_function_does() -> None:
    app = ig.App("a")
    app.function("f", checkpointing=False, on_failure=handler)(handler)
    assert app.functions["f-failure"].options.checkpointing is None


def test_durations_are_given_in_seconds() -> None:
    assert (ig.Checkpointing(max_interval="1m").max_interval_s, ig.Checkpointing().max_interval_s) == (60, None)
    assert (ig.Checkpointing().max_runtime_s, ig.Checkpointing(max_runtime=None).max_runtime_s) == (10, float("inf"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"buffered_steps": 0}, "Checkpointing.buffered_steps is a whole number of at least 1, not 0"),
        ({"buffered_steps": True}, "Checkpointing.buffered_steps is a whole number"),
        ({"max_interval": 0}, "Checkpointing.max_interval must be longer than 0; None reports by number only"),
        ({"max_runtime": "0s"}, "Checkpointing.max_runtime must be longer than 0; None sets no limit"),
        ({"max_runtime": "soon"}, "Checkpointing.max_runtime: 'soon' is no duration"),
    ],
)
def test_values_out_of_range_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ig.ConfigError, match=sentence):
        ig.Checkpointing(**arguments)


def test_what_is_no_checkpointing_is_refused_with_its_owner() -> None:
    with pytest.raises(ig.ConfigError, match=r"the checkpointing of app 'a' is True, False or ig.Checkpointing\(...\), not 5"):
        ig.App("a", checkpointing=5)
    with pytest.raises(ig.ConfigError, match="the checkpointing of function 'f' is"):
        ig.App("a").function("f", checkpointing="on")(handler)
