"""Step functions for runs whose recordings are looked at: none of them may run in a replay."""

import inngest_gen as ig

RAN: list[str] = []
"""What ran."""


def price(n: int) -> int:
    RAN.append("price")
    return n * 2


def dead() -> None:
    raise ig.NonRetriableError("out of stock")
