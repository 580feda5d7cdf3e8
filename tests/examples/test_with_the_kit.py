"""The examples, tested as somebody would who has copied them: with the test kit."""

import itertools

import pytest

import inngest_gen as ig
from examples import ai_answer, approval, fan_out, order, saga
from inngest_gen import testing


async def test_a_paid_order_ships_after_an_hour_and_takes_the_apology_back() -> None:
    result = await testing.run(order.order_placed, order.OrderPlaced("o1"), steps={"charge": "paid", "smtp": None})
    assert result.output == {"payment": "paid", "parcel": "parcel-for-o1"}
    assert result.steps == ["load", "charge", "cool-off", "ship"]
    assert result.seconds == 3600
    assert {defer.id: defer.status for defer in result.defers} == {"apology": "aborted", "receipt": "scheduled"}
    [mail] = result.of(order.send_mail)
    assert mail.steps["smtp"].args == (order.Mail(to="o1@example.org", body="Thanks! You paid 19.5: paid."),)


async def test_a_declined_order_sends_the_apology() -> None:
    result = await testing.run(order.order_placed, order.OrderPlaced("declined"))
    assert str(result.error) == "NonRetriableError: the card was declined"
    [mail] = result.of(order.send_mail)
    assert mail.output == "to declined@example.org: Sorry, your order did not go through."


async def test_the_apology_is_sent_eight_times_before_it_is_given_up() -> None:
    result = await testing.run(order.send_mail, order.Mail("a", "b"), steps={"smtp": ConnectionError("down")})
    assert result.steps["smtp"].attempts == 9


@pytest.mark.parametrize(("approved", "output"), [(True, "40.0 paid for e1"), (False, "rejected")])
async def test_an_expense_is_decided(approved: bool, output: str) -> None:
    decided = [ig.Event("expense/decided", {"expense_id": id, "approved": ok}) for id, ok in [("e2", not approved), ("e1", approved)]]
    result = await testing.run(
        approval.approve, approval.Expense("e1", 40), events=[testing.at("1h", event) for event in decided], steps={"*": testing.REAL}
    )
    assert result.output == output
    assert "remind" not in result.steps


async def test_an_expense_that_nobody_decides_is_reminded_of_and_expires() -> None:
    result = await testing.run(approval.approve, approval.Expense("e1", 40))
    assert result.output == "expired"
    assert result.steps == ["ask", "decision", "remind", "late-decision"]
    assert result.seconds == 5 * 86400


async def test_pages_come_from_the_mirror_where_the_origin_is_slow() -> None:
    slow = testing.lasting("6s", {"number": 0, "source": "origin", "titles": []})
    result = await testing.run(fan_out.app.functions["import"], {"pages": 2}, steps={"fetch-0": slow})
    assert result.output["sources"] == ["mirror", "mirror"]
    assert result.steps["fetch-0"].status == "abandoned"
    assert result.seconds == 5


@pytest.mark.parametrize("failing", ["flight", "train", "hotel"])
async def test_whatever_was_booked_before_a_failure_is_undone_in_reverse(failing: str) -> None:
    steps = {f"book-{failing}": ig.NonRetriableError("sold out")}
    result = await testing.run(saga.book_trip, saga.Trip("Oslo", 1), steps=steps)
    assert result.status == "failed"
    before = list(itertools.takewhile(lambda name: name != failing, ["flight", "train", "hotel"]))
    assert result.steps.ids[len(before) + 1 :] == [f"cancel-{name}" for name in reversed(before)]


async def test_an_answer_does_not_wait_for_its_score() -> None:
    result = await testing.run(
        ai_answer.answer_question, ai_answer.Question("What is a durable step?"), steps={"judge": OSError("no judge")}
    )
    assert result.output["tokens"] == 13
    assert result.steps["model"].attempts == 2
    assert result.seconds == 20
    score = result.defers["score"].run
    assert score is not None
    assert score.status == "failed"
