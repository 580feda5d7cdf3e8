"""The limit of bodies at once, by itself."""

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import inngest_gen as ig
from inngest_gen.engine.limiter import FairLimiter
from tests.engine.rig import eventually


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "3", None])
def test_a_limit_is_a_whole_number(limit: object) -> None:
    with pytest.raises(ig.ConfigError, match="concurrency"):
        FairLimiter(limit)  # type: ignore[arg-type]


async def test_runs_take_turns_and_each_is_served_in_order() -> None:
    limiter = FairLimiter(1)
    order: list[str] = []
    await limiter.acquire(0)

    async def take(run: int, name: str) -> None:
        await limiter.acquire(run)
        order.append(name)
        limiter.release()

    async with anyio.create_task_group() as tasks:
        for run, count in ((1, 4), (2, 1), (3, 2)):
            for n in range(count):
                tasks.start_soon(take, run, f"{run}{'abcd'[n]}")
                await eventually(lambda run=run, n=n: len(limiter._waiting.get(run, ())) == n + 1)
        limiter.release()
    assert order == ["1a", "2a", "3a", "1b", "3b", "1c", "1d"]
    assert (limiter.busy, limiter._waiting) == (0, {})


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 4), bodies=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=25))
def test_slots_are_never_lost_nor_given_twice(limit: int, bodies: list[tuple[int, bool]], anyio_backend_name: str) -> None:
    """Some of those who wait are cancelled, some hold their slot for a while."""

    async def main() -> None:
        limiter = FairLimiter(limit)
        holding, most = [0], [0]

        async def body(run: int, impatient: bool) -> None:
            with anyio.move_on_after(0 if impatient else 60):
                await limiter.acquire(run)
                try:
                    holding[0] += 1
                    most[0] = max(most[0], holding[0])
                    await anyio.sleep(0)
                finally:
                    holding[0] -= 1
                    limiter.release()

        async with anyio.create_task_group() as tasks:
            for run, impatient in bodies:
                tasks.start_soon(body, run, impatient)
        assert most[0] <= limit
        assert (limiter.busy, limiter._waiting) == (0, {})

    anyio.run(main, backend=anyio_backend_name)
