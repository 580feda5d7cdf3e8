"""A page in a real browser: opened as a file, stepped through by keys, scrubbed; it asks nobody for anything and says nothing to the console."""

import pathlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from inngest_gen.debugger import Session, Stop, to_html
from tests.debugger import rig
from tests.debugger.web.reading import app, order_run

if TYPE_CHECKING:
    from playwright.sync_api import Page

FLAGS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND",
]  # fmt: skip


async def page_and_stops() -> tuple[str, list[Stop], int]:
    """The page of an order, its stops as a session has them, and how many the run beside it has."""
    first, second = await order_run()
    page = await to_html(first, app, beside=[second])
    async with Session(first, app) as session:
        stops = await rig.walk(session)
    async with Session(second, app) as session:
        return page, stops, len(await rig.walk(session))


@contextmanager
def opened(chromium: str, file: pathlib.Path, profile: pathlib.Path, said: list[str], asked: list[str]) -> Iterator["Page"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium, args=FLAGS, viewport={"width": 1280, "height": 860}
        )
        try:
            page = browser.pages[0]
            page.set_default_timeout(10_000)
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
            browser.on("request", lambda request: asked.append(request.url))
            page.goto(file.as_uri())
            yield page
        finally:
            browser.close()


# What the page shows, in one call: a call to the browser costs some milliseconds.
SHOWN = """() => {
  const text = (where) => { const found = document.querySelector(where); return found && found.textContent; };
  const frame = document.querySelector("#locals .frame");
  return {
    number: Number(text("#scrub .counter b")),
    scrubbed: Number(document.querySelector("#scrub input").value),
    intent: text("#intent h2 code"),
    result: text("#intent .outcome.good .big"),
    error: text("#intent .outcome.bad .error p"),
    locals: frame && [...frame.querySelectorAll(":scope > ul > li > div.line, :scope > ul > li > details > summary")].map((line) => [line.querySelector(".name").textContent, (line.querySelector("code") || line).textContent]),
    changed: frame && [...frame.querySelectorAll(":scope > ul > li.changed")].length,
    lines: [...document.querySelectorAll("#source .row.current .gutter")].map((one) => Number(one.textContent)),
    marked: [...document.querySelectorAll(".stops [aria-current]")].map((one) => Number(one.querySelector(".number").textContent)),
    lazy: [...document.querySelectorAll("#lazy li b")].map((one) => one.textContent),
    printed: [...document.querySelectorAll("#output .now pre")].map((one) => one.textContent),
    said: text("#said"),
  };
}"""


def visible(text: str | None) -> str | None:
    return text and text.replace("\u202e", "\\u202e")


def expected(stop: Stop) -> dict[str, Any]:
    """What the page is to show of a stop."""
    intent, frame = stop.intent, stop.frames[0] if stop.frames else None
    memo = intent and intent.memo
    return {
        "number": stop.number,
        "scrubbed": stop.number,
        "intent": intent and intent.text,
        "result": visible(stop.end.value if stop.end else memo.text if memo and not memo.error else stop.resumes if intent else None),
        "error": visible(f"{memo.error['name']}: {memo.error['message']}") if memo and memo.error else None,
        "locals": frame
        and [
            *[[one.name, visible(one.text)] for one in frame.locals if one.type != "Context"],
            *[["ctx", "…"] for one in frame.locals if one.type == "Context"],
        ],
        "changed": frame and len([one for one in stop.changed if one.frame == frame.id]),
        "lines": list(range(stop.at.line, stop.at.end_line + 1)) if stop.at else [],
        "marked": [stop.number],
        "lazy": [one.id for one in stop.lazy],
        "printed": [visible(one.text.removesuffix("\n")) for one in stop.output],
    }


def test_a_page_is_stepped_through_in_a_browser(tmp_path: pathlib.Path, require_tool: Callable[[str, str], str]) -> None:
    chromium = require_tool("chromium", "make tools")
    html, stops, stops_beside = anyio.run(page_and_stops)
    file = tmp_path / "run.html"
    file.write_text(html, encoding="utf-8")
    said: list[str] = []
    asked: list[str] = []
    last = len(stops) - 1
    with opened(chromium, file, tmp_path / "profile", said, asked) as page:

        def shows(number: int) -> None:
            shown = page.evaluate(SHOWN)
            assert shown.pop("said") is not None
            assert shown == expected(stops[number])

        # Forward to the end and back to the start, by keys.
        shows(0)
        for number in range(1, last + 1):
            page.keyboard.press("ArrowRight")
            shows(number)
        page.keyboard.press("ArrowRight")
        shows(last)
        assert page.locator("#said").text_content() == f"Stop {last}: end returned {stops[last].end.value}"  # type: ignore[union-attr]
        for number in reversed(range(last)):
            page.keyboard.press("ArrowLeft")
            shows(number)
        for key, number in (
            ("End", last),
            ("PageUp", last - 10),
            ("Home", 0),
            ("e", next(n for n, stop in enumerate(stops) if stop.intent and stop.intent.memo and stop.intent.memo.error)),
        ):
            page.keyboard.press(key)
            shows(number)

        # The scrubber: by its own keys and by hand.
        scrubber = page.get_by_role("slider", name="Stop")
        scrubber.fill("4")
        shows(4)
        scrubber.press("ArrowRight")
        shows(5)
        assert scrubber.get_attribute("aria-valuetext") == "Stop 5: run price"
        page.get_by_role("button", name="Back", exact=True).click()
        shows(4)

        # The picture and the list lead to a stop; the address keeps it.
        page.locator("#picture g.step", has_text="cool-off").locator("rect.wait").click()
        shows(3)
        # On a virtual clock most steps take no time: they are drawn in their order, until another scale is wanted.
        charge = next(stop.number for stop in stops if stop.intent and stop.intent.id == "charge")
        page.locator("#picture g.step", has_text="charge").locator("rect.run").click()
        shows(charge)
        assert page.get_by_role("button", name="Order", exact=True).get_attribute("aria-pressed") == "true"
        for scale in ("Even", "Clock"):
            page.get_by_role("button", name=scale, exact=True).click()
            assert page.get_by_role("button", name="Order", exact=True).get_attribute("aria-pressed") == "false"
            assert "+6 min" in str(page.locator("#picture svg").text_content())
        page.locator(".stops button").nth(4).click()
        assert page.url.endswith("#4")

        # A value opens, and stays open where one goes on.
        order = page.locator("#locals .frame > ul > li > details", has_text="order")
        page.locator(".stops button").nth(5).click()
        order.first.locator("summary").click()
        page.keyboard.press("ArrowRight")
        assert order.first.locator("li .name").all_text_contents()[:1] == ["'lines'"]

        # The difference between any two stops.
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("m")
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        assert page.url.endswith(f"#{last - 1}-1")
        rows = [row.split("\t") for row in page.locator("#difference tbody tr").all_inner_texts()]
        changed = {row[0]: row[1:] for row in rows}
        assert changed["amount"] == ["nothing", "17"]
        assert changed["refused"] == ["nothing", "'refused'"], changed
        assert "load, cool-off, price, price, price, charge" in page.locator("#difference").inner_text()

        # The run that it deferred is in the same page.
        page.get_by_role("button", name="look at that run").click()
        assert page.locator("h1").text_content() == "shop-mail"
        assert page.locator("#scrub input").get_attribute("max") == str(stops_beside - 1)
        page.keyboard.press("End")
        assert page.locator("#intent .outcome.good .big").text_content() == "3"

        # As narrow as a phone nothing sticks out.
        for width in (360, 800):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("window.broken === undefined && document.querySelectorAll('img').length === 0")
        assert said == []
        assert asked == [file.as_uri()]

        # Even a program in the page could ask nobody, nor make markup of text.
        listener = socket.create_server(("127.0.0.1", 0))
        refused = page.evaluate(
            """async (there) => {
          const told = [];
          document.addEventListener("securitypolicyviolation", (event) => told.push(event.effectiveDirective));
          await fetch(there).catch(() => told.push("fetch"));
          const image = new Image();
          image.src = `${there}x.png`;
          const script = document.createElement("script");
          script.append("window.broken = 3");
          try { document.body.append(script); } catch { told.push("script"); }
          try { script.text = "window.broken = 3"; } catch { told.push("text"); }
          try { document.body.insertAdjacentHTML("beforeend", "<b>"); } catch { told.push("markup"); }
          await new Promise((done) => setTimeout(done, 100));
          return [told, window.broken];
        }""",
            f"http://127.0.0.1:{listener.getsockname()[1]}/",
        )
        assert {"fetch", "connect-src", "img-src", "markup", "text"} <= set(refused[0])
        assert refused[1] is None
        with listener, pytest.raises(BlockingIOError):
            listener.setblocking(False)
            listener.accept()
