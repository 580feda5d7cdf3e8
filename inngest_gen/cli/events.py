"""`inngest-gen events`: sends events to an engine that runs elsewhere."""

from __future__ import annotations

import pathlib
import sys
from typing import TYPE_CHECKING

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import OK, Refusal

if TYPE_CHECKING:
    from inngest_gen.event import Event


@click.group()
def events() -> None:
    """Send events to an engine that runs elsewhere."""


_HELP = """Send an event to the engine that has the file, or over HTTP; prints its id.

    Data is a JSON object, or @file, or - for stdin. Without --url the event is left in the file: the engine that has it takes it within a quarter
    of a second, or the one that next starts on it. An id that is known already starts nothing.

    \b
    Examples:
      inngest-gen events send order/placed '{"order_id": "o1"}'
      inngest-gen events send order/placed @order.json --id order-o1
      inngest-gen events send order/placed - --url http://127.0.0.1:8288
    """


@events.command(help=_HELP, short_help="Send an event to a running engine.")
@click.argument("name")
@options.data
@click.option("--id", "event_id", metavar="ID", help="The event's id. One id starts a function once.")
@click.option("--url", metavar="URL", help="Send it over HTTP to this server instead, such as http://127.0.0.1:8288.")
@click.option("--key", default="dev", show_default=True, metavar="KEY", help="The event key for --url.")
@options.db
def send(name: str, data: str | None, *, event_id: str | None, url: str | None, key: str, db: pathlib.Path) -> int:
    """Send an event."""
    from inngest_gen.cli import payload
    from inngest_gen.clock import SystemClock
    from inngest_gen.ids import new_id

    event = payload.event(name, data, sys.stdin.buffer.read, id=new_id(SystemClock().now()) if event_id is None else event_id)
    if url is not None:
        _post(url, key, event)
    else:
        _leave(db, event)
    click.echo(event.id)
    return OK


def _leave(db: pathlib.Path, event: Event) -> None:
    from inngest_gen.cli import asking

    if not db.exists():
        raise Refusal(f"{db} does not exist: start `inngest-gen dev MODULE:APP` first, or name the engine's file with --db")
    asking.ask(db, "send", {"events": [document(event)]})
    if not asking.engine_runs(db):
        click.echo(f"inngest-gen: no engine is running on {db}: the event will be taken when one next starts", err=True)


def _post(url: str, key: str, event: Event) -> None:
    import httpx

    try:
        answer = httpx.post(f"{url.rstrip('/')}/e/{key}", json=document(event), timeout=10.0)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Refusal(f"cannot send to {url}: {error}") from None
    if answer.status_code != httpx.codes.OK:
        try:
            reason = answer.json()["error"]
        except (ValueError, KeyError, TypeError):
            reason = answer.text[:200]
        raise Refusal(f"{url} refused the event (HTTP {answer.status_code}): {reason}")


def document(event: Event) -> dict[str, object]:
    """Give an event as it travels: what is not set is left out."""
    whole = {"name": event.name, "data": dict(event.data), "id": event.id, "ts": event.ts, "meta": event.meta}
    return {name: value for name, value in whole.items() if value is not None}
