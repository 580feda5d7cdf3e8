"""A code by SMS: three tries to type it, within three minutes.

After https://github.com/Azure/azure-functions-durable-python/blob/dev/samples/human_interaction/E4_SMSPhoneVerification/__init__.py
"""

import secrets

import inngest_gen as ig

app = ig.App("azure-phone")


def is_phone_number(text: str) -> bool:
    return text[:1] == "+" and text[1:].isdigit()


def send_code(phone: str) -> str:
    return f"{secrets.randbelow(10_000):04}"


async def typed(ctx: ig.Context, code: str) -> ig.Flow:
    for attempt in range(3):
        answer = yield ctx.step.wait_for_event(f"try-{attempt}", "code/typed", match="data.phone", timeout="3m")
        if answer is None:
            break
        if answer.data["code"] == code:
            yield ig.Done(True)
    yield ig.Done(False)


@app.function("verify", trigger="phone/given")
async def verify(ctx: ig.Context) -> ig.Flow:
    phone = ctx.data.get("phone")
    if not phone or not is_phone_number(phone):
        raise ig.NonRetriableError("give a number with its prefix, such as +4930123456")
    code = yield ctx.step.run("challenge", send_code, phone)
    first: ig.Winner[bool] = yield ctx.group.race(typed(ctx, code), ctx.step.sleep("limit", "3m"))
    yield ig.Done(first.key == 0 and first.value)
