"""An exchange: what is asked of a server, in which order, and what is made of its replies; a generator, with no I/O of its own.

It yields what is to be done (`Ask`, `Pause`) and is sent what came of it, so that one piece of code is driven by an async client, by a blocking
one where there is no loop, and by tests without either. Promises: at most five attempts, with the same bytes each time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

__all__ = ["Answer", "Ask", "Exchange", "Pause", "Reaction", "Silence", "ask", "delays", "persistently"]

T = TypeVar("T")

ATTEMPTS: Final = 5
BASE_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """An HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole reply."""

    status: int
    body: bytes
    location: str | None = None

    @property
    def fine(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No whole reply: `reason` says why. With `final` another attempt would fare the same."""

    reason: str
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A wait, in seconds."""

    seconds: float


Reaction: TypeAlias = Answer | Silence
Exchange: TypeAlias = Generator[Ask | Pause, Reaction | None, T]
"""An exchange that gives a T: an Ask is answered with a Reaction, a Pause with None."""


def ask(request: Ask) -> Exchange[Reaction]:
    """Make one request; gives what came of it."""
    reaction = yield request
    assert reaction is not None, "a driver answers each Ask"
    return reaction


def delays(jitter: Callable[[], float]) -> Iterator[float]:
    """Give the waits between attempts, in seconds: 100 ms, doubled each time, each with 0 to 100 ms on top (F12). `jitter` gives 0 to 1."""
    for number in range(ATTEMPTS - 1):
        yield BASE_S * (2**number + jitter())


def persistently(
    attempt: Callable[[], Exchange[Reaction]],
    done: Callable[[Reaction], bool],
    jitter: Callable[[], float],
) -> Exchange[Reaction]:
    """Make an attempt until it is done, five times at most; gives what came of the last."""
    for delay in delays(jitter):
        reaction = yield from attempt()
        if done(reaction):
            return reaction
        yield Pause(seconds=delay)
    return (yield from attempt())
