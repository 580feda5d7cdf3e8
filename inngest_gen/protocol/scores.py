"""Scores on the wire: metadata of the run that is scored, `POST /v1/runs/{run_id}/metadata`.

The body is `{"target": {"run_id", "step_id"?}, "metadata": [{"kind", "op": "merge", "values"}]}`. A score's kind is `inngest.score`, its values are
`{"<name>": {"value": <number or bool>}}`; that it belongs to an experiment is told by a second entry of the kind `inngest.experiment` with the values
`{"name", "variant"}`, before it. (server: pkg/api/apiv1/metadata.go, pkg/tracing/metadata/score.go and kind.go; inngest-js:
src/components/InngestScore.ts, which sends the two in two requests, so that one may be lost.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from inngest_gen.score import Score

__all__ = ["experiment_of", "score_bodies"]


def experiment_of(reference: object) -> dict[str, str] | None:
    """Give the experiment that a defer carried as metadata values, or None where it is none: `{"experimentName", "variant"}` (A72, A73)."""
    if not isinstance(reference, Mapping):
        return None
    name, variant = reference.get("experimentName"), reference.get("variant")
    if not (isinstance(name, str) and name.strip() and isinstance(variant, str) and variant.strip()):
        return None
    return {"name": name, "variant": variant}


def score_bodies(scores: Sequence[Score], parent_run_id: str, experiment: Mapping[str, str] | None) -> list[tuple[str, bytes]]:
    """Give the bodies of the requests that write scores, each with the run it is for: one for each run and step that is scored.

    `experiment`, from `experiment_of`, goes to the parent run only: an experiment has scores of runs, not of steps.
    """
    targets: dict[tuple[str, str | None], list[Score]] = {}
    for score in scores:
        targets.setdefault((score.run_id or parent_run_id, score.step_id), []).append(score)
    return [
        (run_id, _body(run_id, step_id, many, experiment if (run_id, step_id) == (parent_run_id, None) else None))
        for (run_id, step_id), many in targets.items()
    ]


def _body(run_id: str, step_id: str | None, scores: Iterable[Score], experiment: Mapping[str, str] | None) -> bytes:
    target = {"run_id": run_id} if step_id is None else {"run_id": run_id, "step_id": step_id}
    metadata: list[dict[str, Any]] = []
    if experiment is not None:
        metadata.append({"kind": "inngest.experiment", "op": "merge", "values": dict(experiment)})
    metadata.append({"kind": "inngest.score", "op": "merge", "values": {score.name: {"value": score.value} for score in scores}})
    return orjson.dumps({"target": target, "metadata": metadata})
