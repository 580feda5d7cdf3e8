"""A scorer's Score is kept: with the embedded engine as its result and in the timeline of the run that deferred it."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.driver.fingerprint import fingerprint


@dataclass
class Answer:
    text: str


def make(scorer: Any, *, experiment: Any = None, schema: Any = Answer, retries: int = 0) -> ig.App:
    """An app whose function "ask" defers `scorer` as "judge"."""
    app = ig.App("shop", retries=retries, backoff=0)
    judge = app.scorer("judge", schema=schema)(scorer)

    @app.function("ask", trigger="ask")
    async def ask(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("judge", judge, Answer("hello world"), experiment=experiment)

    return app


async def played(app: ig.App, tmp_path: Path) -> tuple[ig.Run, ig.Run]:
    """The run that was scored, and the scorer's."""
    async with ig.Engine(tmp_path / "shop.db", apps=[app], durability="process") as engine:
        await engine.run(ig.Event("ask"))
        [parent] = await engine.runs(function="ask")
        [scorer] = await engine.runs(function="judge")
        return parent, scorer


def notes(run: ig.Run) -> list[str]:
    return [note.text for note in run.notes if note.kind == "note"]


async def test_a_score_is_the_scorers_result_and_a_note_of_the_parent(tmp_path: Path) -> None:
    def count(text: str) -> int:
        return len(text.split())

    async def judge(ctx: ig.DeferContext[Answer]) -> ig.Flow:
        words = yield ctx.step.run("count", count, ctx.data.text)
        yield ig.Done(ig.Score("verbosity", words))

    parent, scorer = await played(make(judge), tmp_path)
    assert scorer.output == {"name": "verbosity", "value": 2}
    assert [step.id for step in scorer.steps] == ["count", "score"]
    assert scorer.steps[1].result == [{"name": "verbosity", "value": 2}]
    assert notes(parent) == [f"score 'verbosity': 2 (by judge, run {scorer.id})"]
    assert parent.status == scorer.status == "completed"


async def test_a_plain_async_function_scores_as_well(tmp_path: Path) -> None:
    async def judge(ctx: ig.DeferContext[Answer]) -> ig.Score:
        return ig.Score("polite", ctx.data.text.startswith("hello"))

    parent, scorer = await played(make(judge), tmp_path)
    assert scorer.output == {"name": "polite", "value": True}
    assert notes(parent) == [f"score 'polite': True (by judge, run {scorer.id})"]


async def test_several_scores_are_written_in_one_step(tmp_path: Path) -> None:
    async def judge(ctx: ig.DeferContext[Answer]) -> list[ig.Score]:
        return [ig.Score("a", 1), ig.Score("b", 0.5, step_id="answer")]

    parent, scorer = await played(make(judge), tmp_path)
    assert scorer.output == [{"name": "a", "value": 1}, {"name": "b", "value": 0.5, "step_id": "answer"}]
    assert [note.partition(" (")[0] for note in notes(parent)] == ["score 'a': 1", "score 'b' of step 'answer': 0.5"]


@pytest.mark.parametrize("nothing", [None, []])
async def test_no_score_is_no_step(nothing: Any, tmp_path: Path) -> None:
    async def judge(ctx: ig.DeferContext[Answer]) -> Any:
        return nothing

    parent, scorer = await played(make(judge), tmp_path)
    assert (scorer.status, scorer.output, scorer.steps, notes(parent)) == ("completed", None, (), [])


async def test_the_experiment_of_the_defer_is_told(tmp_path: Path) -> None:
    async def judge(ctx: ig.DeferContext[Answer]) -> ig.Score:
        return ig.Score("rizz", 100)

    parent, _ = await played(make(judge, experiment={"experimentName": "exp", "variant": "control"}), tmp_path)
    assert notes(parent)[0].startswith("score 'rizz' of variant 'control' of experiment 'exp': 100 (by judge")


async def test_an_experiment_that_is_none_is_told_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def judge(ctx: ig.DeferContext[Answer]) -> ig.Score:
        return ig.Score("rizz", 100)

    with caplog.at_level(logging.WARNING):
        parent, _ = await played(make(judge, experiment="exp"), tmp_path)
    assert notes(parent)[0].startswith("score 'rizz': 100")
    assert f"scorer 'judge': the experiment of run {parent.id} is not" in caplog.text


async def test_what_is_no_score_fails_the_scorer_without_another_attempt(tmp_path: Path) -> None:
    calls = 0

    async def judge(ctx: ig.DeferContext[Answer]) -> Any:
        nonlocal calls
        calls += 1
        return {"name": "rizz", "value": 1}

    parent, scorer = await played(make(judge, retries=3), tmp_path)
    assert (parent.status, scorer.status, calls) == ("completed", "failed", 1)
    assert "scorer 'judge' gave dict: it gives an ig.Score, a list of those, or None" in str(scorer.error)


async def test_a_sync_function_is_no_scorer(tmp_path: Path) -> None:
    _, scorer = await played(make(lambda ctx: ig.Score("x", 1)), tmp_path)
    assert "scorer 'judge' needs an async generator function or an async function; it gave Score at once" in str(scorer.error)


async def test_a_run_that_is_not_there_cannot_be_scored(tmp_path: Path) -> None:
    async def judge(ctx: ig.DeferContext[Answer]) -> ig.Score:
        return ig.Score("x", 1, run_id="01GQ3HTEZ01M7R8Z9PR1DMHDN1")

    _, scorer = await played(make(judge, retries=3), tmp_path)
    assert scorer.status == "failed"
    assert "score 'x': no run has the id '01GQ3HTEZ01M7R8Z9PR1DMHDN1'" in str(scorer.error)


async def test_what_was_noted_is_not_noted_again(tmp_path: Path) -> None:
    async def ask(ctx: ig.Context) -> None:
        pass

    app = ig.App("shop")
    app.function("ask", trigger="ask")(ask)
    async with ig.Engine(tmp_path / "shop.db", apps=[app], durability="process") as engine:
        [run] = await engine.run(ig.Event("ask"))
        for text in ("a", "b", "a"):
            await engine.note(run.id, text)
        assert notes(await engine.get(run.id)) == ["a", "b"]
        with pytest.raises(ig.RunNotFound):
            await engine.note("nowhere", "a")


def test_a_scorer_keeps_its_handlers_name_and_is_a_deferred_function() -> None:
    async def judge(ctx: ig.DeferContext[Answer]) -> ig.Score:
        """Judges."""
        return ig.Score("x", 1)

    app = ig.App("shop")
    scorer = app.scorer("judge", schema=Answer, name="The judge", retries=2, concurrency=3)(judge)
    assert isinstance(scorer, ig.DeferredFunction)
    assert (scorer.__name__, scorer.__doc__, scorer.options.name, scorer.options.retries) == ("judge", "Judges.", "The judge", 2)
    assert app.functions["judge"] is scorer


def test_a_scorers_own_code_is_what_its_replay_is_held_against() -> None:
    def judge(limit: int) -> Any:
        if limit == 1:

            async def short(ctx: ig.DeferContext[Any]) -> ig.Flow:
                yield ig.Done(ig.Score("x", 1))

            return short

        async def long(ctx: ig.DeferContext[Any]) -> ig.Flow:
            yield ctx.step.sleep("a", 1)
            yield ig.Done(ig.Score("x", 1))

        return long

    told = [fingerprint(ig.App("shop").scorer("judge")(judge(limit))) for limit in (1, 2)]
    assert any(name.endswith("short") for name in told[0])
    assert set(told[0].values()) != set(told[1].values())


def test_a_scorer_has_no_trigger() -> None:
    with pytest.raises(ig.ConfigError, match="deferred function 'judge' has no trigger"):
        ig.App("shop").scorer("judge", trigger="x")
