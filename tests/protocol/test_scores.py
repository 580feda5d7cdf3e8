"""Scores on the wire are metadata of the run, in the server's words."""

import json
from typing import Any

import pytest

from inngest_gen.protocol.scores import experiment_of, score_bodies
from inngest_gen.score import Score

PARENT = "01GQ3HTEZ01M7R8Z9PR1DMHDN1"


def bodies(*scores: Score, experiment: dict[str, str] | None = None) -> list[tuple[str, Any]]:
    return [(run_id, json.loads(body)) for run_id, body in score_bodies(scores, PARENT, experiment)]


def test_a_score_is_merged_into_the_parents_metadata() -> None:
    assert bodies(Score("rizz", 100)) == [
        (PARENT, {"target": {"run_id": PARENT}, "metadata": [{"kind": "inngest.score", "op": "merge", "values": {"rizz": {"value": 100}}}]})
    ]


def test_an_experiment_stands_before_the_score_in_one_request() -> None:
    [(_, body)] = bodies(Score("rizz", True), experiment={"name": "exp", "variant": "control"})
    assert body["metadata"] == [
        {"kind": "inngest.experiment", "op": "merge", "values": {"name": "exp", "variant": "control"}},
        {"kind": "inngest.score", "op": "merge", "values": {"rizz": {"value": True}}},
    ]


def test_scores_of_one_target_go_together_and_the_experiment_with_the_parents_own() -> None:
    told = bodies(
        Score("a", 1),
        Score("b", 0.5),
        Score("c", 2, step_id="answer"),
        Score("d", 3, run_id="other"),
        experiment={"name": "e", "variant": "v"},
    )
    assert [(run_id, body["target"], [one["kind"] for one in body["metadata"]]) for run_id, body in told] == [
        (PARENT, {"run_id": PARENT}, ["inngest.experiment", "inngest.score"]),
        (PARENT, {"run_id": PARENT, "step_id": "answer"}, ["inngest.score"]),
        ("other", {"run_id": "other"}, ["inngest.score"]),
    ]
    assert told[0][1]["metadata"][1]["values"] == {"a": {"value": 1}, "b": {"value": 0.5}}


@pytest.mark.parametrize(
    ("reference", "experiment"),
    [
        ({"experimentName": "e", "variant": "v"}, {"name": "e", "variant": "v"}),
        ({"experimentName": "e", "variant": "v", "more": 1}, {"name": "e", "variant": "v"}),
        ({"experimentName": "e"}, None),
        ({"experimentName": " ", "variant": "v"}, None),
        ({"experimentName": 5, "variant": "v"}, None),
        ("e", None),
        (None, None),
    ],
)
def test_an_experiment_is_a_name_and_a_variant(reference: object, experiment: dict[str, str] | None) -> None:
    assert experiment_of(reference) == experiment
