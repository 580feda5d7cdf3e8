"""Short ways to say what happened, for tests of what is made of it."""

import unicodedata
from typing import Any

from inngest_gen.cli.board import Board
from inngest_gen.engine.progress import Kind, Progress
from inngest_gen.errors import StepError

RUN = "01M82ZKRY5PWM5DJ8VM5QC8C1Y"
CHILD = "01M82ZKT104F0KCTJW8FXX0WF8"


def it(kind: Kind, at: float, run_id: str = RUN, function_id: str = "shop-placed", **facts: Any) -> Progress:
    return Progress(kind=kind, at=at, run_id=run_id, function_id=function_id, **facts)


def step(verb: str, at: float, id: str, path: str = "", kind: str = "step.run", **facts: Any) -> Progress:
    name: Any = f"step.{verb}"
    return it(name, at, step_id=id, step_kind=kind, path=path, **facts)


def begun(at: float = 0) -> list[Progress]:
    return [it("run.queued", at, run_kind="event"), it("run.started", at)]


def ended(at: float, status: str = "completed", **facts: Any) -> Progress:
    return it("run.ended", at, status=status, **facts)


def board(*progress: Progress, limit: int | None = None) -> Board:
    made = Board(limit)
    for one in progress:
        made.apply(one)
    return made


def is_harmless(text: str) -> bool:
    """Whether a terminal shows it as it is: nothing in it moves the cursor, changes colours or ends the line."""
    return not any(unicodedata.category(char) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"} for char in text)


DOWN = StepError("PaymentDown", "503 from\nthe provider")
