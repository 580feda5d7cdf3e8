"""A mail every thirty days, until somebody says that it is enough.

After https://github.com/temporalio/samples-python/blob/main/sleep_for_days/workflows.py
"""

import smtplib
from email.message import EmailMessage

import inngest_gen as ig

app = ig.App("temporal-sleep-for-days")


def send_mail(to: str) -> None:
    message = EmailMessage()
    message["To"] = to
    with smtplib.SMTP("localhost") as server:
        server.send_message(message)


@app.function("remind", trigger="reminders/wanted")
async def remind(ctx: ig.Context) -> ig.Flow:
    complete = False
    while not complete:
        yield ctx.step.run("mail", send_mail, ctx.data["to"])
        enough = yield ctx.step.wait_for_event("enough", "reminders/stopped", match="data.to", timeout="30d")
        complete = enough is not None
    yield ig.Done("done!")
