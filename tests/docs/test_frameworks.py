"""The pages about frameworks tell what they give with the signatures that they have in the code."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from inngest_gen.serving import django, flask, wsgi
from tests.docs.page import ROOT, Page
from tests.docs.test_reference import spelled

GIVEN: dict[str, list[Callable[..., Any]]] = {"django": [django.view, django.database], "flask": [flask.view], "wsgi": [wsgi.serve]}


@pytest.mark.parametrize("name", [path.stem for path in (ROOT / "docs" / "frameworks").glob("*.md")])
def test_signatures_are_those_in_the_code(name: str) -> None:
    page = Page.read(ROOT / "docs" / "frameworks" / f"{name}.md")
    told = [heading.strip("`") for heading in page.headings() if re.fullmatch(r"`\w+\(.*\)`", heading)]
    assert told == [f"{function.__name__}{spelled(function)}" for function in GIVEN.get(name, [])]
    assert "X-Inngest-Framework" in page.text
