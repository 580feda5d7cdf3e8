"""When the next attempt comes."""

from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.engine.rules.backoff import DELAYS_S, JITTER_S, default_delay, next_attempt

NOW = 1_790_000_000.0


@given(st.integers(0, 30), st.text())
def test_the_table_plus_jitter_that_depends_on_the_key_alone(failed: int, key: str) -> None:
    delay = default_delay(failed, key)
    base = DELAYS_S[min(failed, len(DELAYS_S) - 1)]
    assert base <= delay <= base + JITTER_S
    assert delay == default_delay(failed, key)


def test_jitter_spreads() -> None:
    delays = [default_delay(0, f"run {n}") - DELAYS_S[0] for n in range(500)]
    assert max(delays) - min(delays) > JITTER_S * 0.9
    assert abs(sum(delays) / 500 - JITTER_S / 2) < 3


@given(st.integers(0, 30), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(-1e6, 1e6))
def test_what_was_asked_for_beats_what_was_declared_and_is_never_in_the_past(
    failed: int, declared: float, asked: float, shift: float
) -> None:
    def when(**asked: float | None) -> float:
        return next_attempt(failed, "k", NOW, **{"backoff": lambda _: declared, "retry_in": None, "retry_at": None, **asked})  # type: ignore[arg-type]

    assert when() == NOW + declared
    assert when(retry_in=asked) == NOW + asked
    assert when(retry_at=NOW + shift) == max(NOW, NOW + shift)
    assert when(backoff=None) == NOW + default_delay(failed, "k")
