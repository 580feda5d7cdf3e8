"""The page as a file: nothing recorded becomes markup, and its policy forbids all requests."""

import html
import re

import pytest

from inngest_gen.debugger import to_html
from inngest_gen.debugger.web.page import embedded, render
from tests.debugger.web.reading import EVIL, order_run
from tests.debugger.web.reading import app as shop


def test_recorded_text_cannot_leave_its_block() -> None:
    written = embedded({"text": f"{EVIL} & \ud800 \u2028"})
    assert not re.search(r"[<>&\u2028\ud800]", written)
    assert written.isascii()


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        embedded(float("nan"))


async def test_what_was_recorded_stays_data() -> None:
    first, second = await order_run()
    page = await to_html(first, shop, beside=[second])
    assert "window.broken" in page
    assert "<script>window" not in page
    assert "<img" not in page
    # The page's own two blocks and no other: markup, recorded values, program.
    assert re.findall(r"<script[^>]*>", page) == ['<script type="application/json" id="recording">', "<script>"]
    assert page.count("</script") == 2


def test_a_title_is_text() -> None:
    page = render({}, "<b>&")
    assert "<title>&lt;b&gt;&amp;</title>" in page


def test_the_policy_allows_the_page_itself_and_nothing_else() -> None:
    page = render({}, "x")
    [policy] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    directives = dict(part.strip().split(" ", 1) for part in html.unescape(policy).split(";"))
    assert directives.pop("script-src").startswith("'sha256-")
    assert directives.pop("style-src").startswith("'sha256-")
    assert directives == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert page.index("Content-Security-Policy") < page.index("<style>") < page.index("<script")


def test_the_program_makes_no_markup_from_text() -> None:
    page = render({}, "x")
    program = page.rpartition("<script>")[2]
    for sink in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        'setTimeout("',
        "fetch(",
        "XMLHttpRequest",
        "import(",
    ):
        assert sink not in program
    # No address but that of SVG's names.
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}
