"""A scenario is played many times with faults; what fails is made simple, told with its seed, and found again."""

from collections import Counter
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen import testing

app = ig.App("bank", retries=4, backoff="10s")


async def outside(*_: Any) -> Any:
    raise AssertionError("the scenario stands in for what is outside")


@app.deferred("receipt")
async def receipt(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("mail", outside, ctx.data["to"])


@app.function("booked", trigger="booked")
async def booked(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("book", outside, ctx.data["id"])


@app.function("pay", trigger="pay")
async def pay(ctx: ig.Context) -> ig.Flow:
    parts = yield ctx.group.parallel(*(ctx.step.run(f"charge-{n}", outside, f"{ctx.run_id}-{n}", n) for n in (1, 2)))
    yield ctx.defer("receipt", receipt, {"to": "a"})
    yield ctx.step.send_event("tell", ig.Event("booked", {"id": ctx.run_id}))
    confirmed = yield ctx.step.wait_for_event("confirmed", "confirmed", match="data.id", timeout="2d")
    yield ctx.step.sleep("nap", "1h")
    yield ig.Done([sum(parts), confirmed is not None])


class World:
    """What is outside: idempotent where it has a key, and counting what comes."""

    def __init__(self) -> None:
        self.charged: dict[str, int] = {}
        self.mails = 0
        self.booked: Counter[str] = Counter()

    def stand_ins(self) -> dict[str, Any]:
        return {"charge-*": self.charge, "mail": self.mail, "book": self.book}

    def charge(self, key: str, amount: int) -> int:
        self.charged[key] = amount
        return amount

    def mail(self, to: str) -> None:
        self.mails += 1

    def book(self, id: str) -> None:
        self.booked[id] += 1


async def scenario(sim: testing.Simulated) -> None:
    world = World()
    async with sim.engine(app, steps=world.stand_ins(), events=[testing.at("3h", ig.Event("confirmed", {"id": 1}))]) as engine:
        await engine.send(ig.Event("pay", {"id": 1}, id="e1"))
        await engine.settle()
        runs = list(engine.results().values())
    assert Counter(run.function_id for run in runs) == {"bank-pay": 1, "bank-receipt": 1, "bank-booked": 1}
    assert {run.status for run in runs} == {"completed"}
    assert sum(world.charged.values()) == 3
    assert world.mails >= 1
    assert len(world.booked) == 1


async def test_what_bears_every_fault_passes_and_all_kinds_came() -> None:
    report = await testing.Simulation(scenario).run(150, seed=7)
    assert (report.runs, report.seed) == (150, 7)
    assert set(report.faults) == {"crash", "crash after", "kill", "lose", "slow", "duplicate"}
    assert min(report.faults.values()) >= 5


async def exactly_once(sim: testing.Simulated) -> None:
    world = World()
    async with sim.engine(app, steps=world.stand_ins(), events=[testing.at("3h", ig.Event("confirmed", {"id": 1}))]) as engine:
        await engine.send(ig.Event("pay", {"id": 1}))
        await engine.settle()
    assert world.mails == 1, f"{world.mails} mails"


async def test_what_fails_is_made_as_simple_as_it_can_be_and_found_again() -> None:
    simulation = testing.Simulation(exactly_once)
    with pytest.raises(testing.SimulationFailed) as caught:
        await simulation.run(500, seed=11)
    failure = caught.value
    assert failure.seed == 11
    assert len(failure.plan.faults) == 1
    assert failure.plan.order == ()
    text = str(failure)
    assert "AssertionError: 2 mails" in text
    assert failure.plan.faults[0].at in {"mail", "the result of 'mail'"}
    assert f"where {failure.plan.faults[0]}" in text
    assert "seed=11" in text
    assert eval(text.split("simulation.play(")[1].split(")\n")[0], {"Plan": testing.Plan, "Fault": testing.Fault}) == failure.plan
    with pytest.raises(AssertionError, match="2 mails"):
        await simulation.play(failure.plan)
    with pytest.raises(testing.SimulationFailed) as again:
        await simulation.run(500, seed=11)
    assert again.value.plan == failure.plan


async def test_one_kind_of_fault_is_enough_or_none() -> None:
    async def counts(sim: testing.Simulated) -> None:
        async with sim.engine(app, steps=World().stand_ins()) as engine:
            await engine.send(ig.Event("pay", {"id": 1}))
            await engine.settle()

    report = await testing.Simulation(counts, faults=["kill"]).run(30)
    assert set(report.faults) == {"kill"}
    report = await testing.Simulation(counts, faults=[]).run(30)
    assert dict(report.faults) == {}


async def test_a_scenario_that_fails_without_a_fault_is_told_at_once() -> None:
    async def fails(sim: testing.Simulated) -> None:
        raise LookupError("of its own")

    with pytest.raises(
        testing.SimulationFailed, match=r"(?s)LookupError: of its own.*nothing goes wrong, and what is ready first comes first"
    ) as caught:
        await testing.Simulation(fails).run(100)
    assert isinstance(caught.value.__cause__, LookupError)


async def test_a_scenario_that_fails_only_now_and_then_is_told() -> None:
    tries = 0

    async def flaky(sim: testing.Simulated) -> None:
        nonlocal tries
        tries += 1
        if tries == 5:
            raise LookupError("the fifth time")

    with pytest.raises(testing.SimulationFailed) as caught:
        await testing.Simulation(flaky).run(50, seed=1)
    assert caught.value.__cause__ is not None
    assert "depends on more than its plan" in caught.value.__cause__.__notes__[0]


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (testing.Plan(), "nothing goes wrong, and what is ready first comes first"),
        (testing.Plan((testing.Fault("kill", "the end of f", 3),)), "the engine is killed after it wrote the end of f, the 3. time"),
        (testing.Plan((testing.Fault("slow", "a", seconds=3600),)), "what the body of step 'a' gives is written down only after 3600 s"),
        (
            testing.Plan((testing.Fault("lose", "b"), testing.Fault("crash", "a")), (0, 1)),
            (
                "what the body of step 'b' gives is lost, and it runs again; step 'a' crashes before its body;"
                " what is ready at a time comes in the order 0, 1"
            ),
        ),
    ],
)
def test_a_plan_says_what_goes_wrong(plan: testing.Plan, told: str) -> None:
    assert str(plan) == told


@pytest.mark.parametrize("fault", [("burn", "a"), ("kill", "a", 0)])
def test_faults_that_are_none_are_refused(fault: Any) -> None:
    with pytest.raises(ig.ConfigError):
        testing.Fault(*fault)
    with pytest.raises(ig.ConfigError, match="no kinds of faults: 'burn'"):
        testing.Simulation(scenario, faults=["burn"])  # type: ignore[list-item]


# Each fault does what it says.


async def ran(plan: testing.Plan, retries: int = 2, faults: dict[str, int] | None = None) -> tuple[list[str], testing.Result]:
    own = ig.App("own", retries=retries, backoff="1s")
    bodies: list[str] = []

    @own.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        def body(name: str) -> str:
            bodies.append(name)
            return name

        yield ctx.step.run("a", body, "a")
        yield ctx.step.sleep("nap", "1m")
        yield ctx.step.run("b", body, "b")

    results: list[testing.Result] = []

    async def scenario(sim: testing.Simulated) -> None:
        async with sim.engine(own) as engine:
            await engine.send(ig.Event("go", id="e"))
            await engine.settle()
            results.extend(engine.results().values())

    played = await testing.Simulation(scenario).play(plan)
    assert faults is None or dict(played.came) == faults
    [result] = results
    return bodies, result


async def test_a_crash_before_its_body_leaves_the_body_for_the_next_attempt() -> None:
    bodies, result = await ran(testing.Plan((testing.Fault("crash", "a"),)))
    assert (bodies, result.status) == (["a", "b"], "completed")
    assert [str(one.error) for one in result.steps["a"].failures] == ["StepCrash: the simulation let step.run 'a' crash"]


async def test_a_crash_after_its_body_lets_the_body_run_twice() -> None:
    bodies, _ = await ran(testing.Plan((testing.Fault("crash after", "a"),)))
    assert bodies == ["a", "a", "b"]


async def test_no_last_attempt_crashes() -> None:
    bodies, result = await ran(testing.Plan((testing.Fault("crash", "a"),)), retries=0)
    assert (bodies, result.status) == (["a", "b"], "completed")


async def test_what_a_body_gave_is_lost_and_it_runs_again_in_the_same_attempt() -> None:
    bodies, result = await ran(testing.Plan((testing.Fault("lose", "b"),)))
    assert bodies == ["a", "b", "b"]
    assert result.steps["b"].attempts == 1


async def test_a_slow_disk_takes_its_time() -> None:
    bodies, result = await ran(testing.Plan((testing.Fault("slow", "a", seconds=3600),)))
    assert (bodies, result.seconds) == (["a", "b"], 3660)


@pytest.mark.parametrize(
    "written",
    [
        "that own-f has begun",
        "the result of 'a'",
        "that 'nap' waits",
        "that own-f waits",
        "that a time has come",
        "the result of 'b'",
        "the end of own-f",
    ],
)
async def test_a_kill_repeats_nothing_that_was_written(written: str) -> None:
    plan = testing.Plan((testing.Fault("kill", written),))
    bodies, result = await ran(plan, faults={"kill": 1})
    assert (bodies, result.status) == (["a", "b"], "completed")


@pytest.mark.parametrize("delivered", ["the event go", "the end of a wait"])
async def test_what_is_delivered_twice_counts_once(delivered: str) -> None:
    bodies, result = await ran(testing.Plan((testing.Fault("duplicate", delivered),)), faults={"duplicate": 1})
    assert (bodies, result.status) == (["a", "b"], "completed")
