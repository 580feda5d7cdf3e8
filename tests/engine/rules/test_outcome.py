"""The events that the end of a run, a defer and an invoke make: their shapes are the server's."""

import pytest

from inngest_gen.engine.rules.outcome import deferred_event, finish_data
from inngest_gen.ids import step_hash

RUN = "01GQ3HTEZ01M7R8Z9PR1DMHDN1"


@pytest.mark.parametrize(("id", "event_id"), [("foo", "01GQ3HTEZ0R23Q05KVX8WM89AK"), ("send", "01GQ3HTEZ0ETEQCSEYDHDWDX3T")])
def test_the_id_of_a_deferred_event_is_the_servers(id: str, event_id: str) -> None:  # B27
    found, data = deferred_event(RUN, "shop-f", step_hash(id), "shop-note", {"n": 1, "_inngest": "mine"}, None)
    assert found == event_id
    assert data == {"n": 1, "_inngest": {"fn_slug": "shop-note", "parent_fn_slug": "shop-f", "parent_run_id": RUN}}  # L06


def test_an_experiment_is_carried() -> None:
    _, data = deferred_event(RUN, "shop-f", step_hash("x"), "shop-note", {}, {"arm": "b"})
    assert data["_inngest"]["experiment"] == {"arm": "b"}


def test_the_data_of_an_end() -> None:
    event = {"name": "go", "data": {}}
    assert finish_data("shop-f", RUN, event, "completed", None, None) == {
        "function_id": "shop-f",
        "run_id": RUN,
        "event": event,
        "events": [event],
        "_inngest": {"status": "Completed"},
        "result": None,
    }
    failed = finish_data("shop-f", RUN, event, "failed", {"name": "ValueError", "message": "no", "stack": "..."}, None)
    assert failed["error"] == {"error": "ValueError: no", "name": "ValueError", "message": "no", "stack": "..."}
    assert "result" not in failed
    assert finish_data("shop-f", RUN, event, "failed", {"name": "Odd", "message": ""}, None)["error"]["error"] == "Odd"
