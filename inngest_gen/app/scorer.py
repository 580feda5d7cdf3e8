"""Scorers: deferred functions whose Score becomes a score of the run that deferred them.

Promises: a score is written in a step of its own, "score", after the handler has ended: written once it is not written again, and it is retried as
a step is. To a server it goes as metadata of the run (protocol/scores.py); the embedded engine notes it in the timeline of the run. On both it is
the scorer's output.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from inngest_gen.app.context import DeferContext
from inngest_gen.errors import ApiError, MisuseError, NonRetriableError, RunNotFound
from inngest_gen.intents.done import Done
from inngest_gen.score import Score

if TYPE_CHECKING:
    from inngest_gen.app.app import App
    from inngest_gen.calls.request import Parent

__all__ = ["ScorerOf", "scoring"]

D = TypeVar("D")

Scores = Score | Sequence[Score] | None
ScorerOf = Callable[[DeferContext[D]], AsyncGenerator[Any, Any]] | Callable[[DeferContext[D]], Coroutine[Any, Any, Scores]]

_HOPELESS = {400, 403, 413}
"""What the server says of a score that another attempt would meet as well; it says 404 of a run that it does not see yet."""


def scoring(app: App, id: str, handler: Any) -> Callable[[DeferContext[Any]], AsyncGenerator[Any, Any]]:
    """Give the handler that runs `handler` and then writes the scores it gave."""

    @functools.wraps(handler)
    async def scored(ctx: DeferContext[Any]) -> AsyncGenerator[Any, Any]:
        made = handler(ctx)
        if isinstance(made, AsyncGenerator):
            result = yield made
        elif isinstance(made, Awaitable):
            result = await made
        else:
            raise MisuseError(
                f"scorer {id!r} needs an async generator function or an async function; it gave {type(made).__name__} at once"
            )
        scores = _scores(result, id)
        if not scores:
            yield Done(None)
        if not ctx.parents:
            raise MisuseError(f"scorer {id!r} scores the run that deferred it, and no run did: start it with ctx.defer")
        parent = ctx.parents[0]

        async def write() -> list[dict[str, Any]]:
            await _write(app, id, ctx.run_id, parent, scores)
            return [score.json() for score in scores]

        yield ctx.step.run("score", write)
        yield Done(scores[0].json() if isinstance(result, Score) else [score.json() for score in scores])

    return scored


def _scores(result: object, id: str) -> tuple[Score, ...]:
    if result is None:
        return ()
    if isinstance(result, Score):
        return (result,)
    if isinstance(result, Sequence) and all(isinstance(one, Score) for one in result):
        return tuple(result)
    raise MisuseError(f"scorer {id!r} gave {type(result).__name__}: it gives an ig.Score, a list of those, or None")


async def _write(app: App, id: str, run_id: str, parent: Parent, scores: Sequence[Score]) -> None:
    from inngest_gen.protocol.scores import experiment_of, score_bodies

    experiment = experiment_of(parent.experiment)
    if experiment is None and parent.experiment is not None:
        app.logger.warning(
            'scorer %r: the experiment of run %s is not {"experimentName": ..., "variant": ...}, so no score is its', id, parent.run_id
        )
    if app.engine is not None:
        variant = "" if experiment is None else f" of variant {experiment['variant']!r} of experiment {experiment['name']!r}"
        for score in scores:
            of = "" if score.step_id is None else f" of step {score.step_id!r}"
            try:
                await app.engine.note(
                    score.run_id or parent.run_id, f"score {score.name!r}{of}{variant}: {score.value} (by {id}, run {run_id})"
                )
            except RunNotFound as error:
                raise NonRetriableError(f"score {score.name!r}: {error}") from error
        return
    for target, body in score_bodies(scores, parent.run_id, experiment):
        try:
            await app.api.write_metadata(target, body)
        except ApiError as error:
            if error.status in _HOPELESS:
                raise NonRetriableError(str(error)) from error
            raise
