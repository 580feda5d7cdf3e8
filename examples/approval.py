"""An approval: wait days for a person, remind them, give up in the end.

`wait_for_event` gives the Event, or None when the timeout has passed. `match` lets only the event through whose `data.expense_id` is that
of the event which started the run. A waiting run costs a row in the database and no memory.

Run it; nobody answers, so it is reminded and expires:

    inngest-gen run examples/approval.py:app expense/submitted '{"expense_id": "e1", "amount": 40}' --fast-forward

Or let it wait, and answer from another terminal:

    inngest-gen dev examples/approval.py:app
    inngest-gen events send expense/submitted '{"expense_id": "e1", "amount": 40}'
    inngest-gen events send expense/decided '{"expense_id": "e1", "approved": true}'
"""

from dataclasses import dataclass

import inngest_gen as ig

app = ig.App("expenses")


@dataclass(frozen=True)
class Expense:
    expense_id: str
    amount: float


def ask(expense: Expense, *, reminder: bool = False) -> str:
    return f"{'reminder' if reminder else 'request'} for {expense.expense_id} sent"


def pay(expense: Expense) -> str:
    return f"{expense.amount} paid for {expense.expense_id}"


@app.function("approve", trigger=ig.EventType("expense/submitted", Expense))
async def approve(ctx: ig.Context[Expense]) -> ig.Flow:
    yield ctx.step.run("ask", ask, ctx.data)
    decision = ctx.step.wait_for_event("decision", "expense/decided", match="data.expense_id", timeout="3d")
    yield decision
    answer = decision.result  # Event | None
    if answer is None:
        yield ctx.step.run("remind", ask, ctx.data, reminder=True)
        late = ctx.step.wait_for_event("late-decision", "expense/decided", match="data.expense_id", timeout="2d")
        yield late
        answer = late.result
    if answer is None:
        yield ig.Done("expired")
    elif not answer.data["approved"]:
        yield ig.Done("rejected")
    else:
        payment = ctx.step.run("pay", pay, ctx.data)
        yield payment
        yield ig.Done(payment.result)
