"""Page: values, style and program as one HTML file.

Promises: the file asks nobody for anything: its Content-Security-Policy allows its own style and program, by their hashes, and forbids all else,
requests and the making of markup from text among it. What was recorded is data: it stands in a JSON block in which no `<` is left.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).parent
_PROGRAM: Final = ("decode.js", "elements.js", "values.js", "source.js", "scale.js", "timeline.js", "panes.js", "page.js")
"""The files of the program, in the order in which they need each other. They share one scope."""


def render(document: dict[str, Any], title: str) -> str:
    """Make the page that shows a document (JSON values)."""
    style, program = _style(), _program()
    policy = (
        f"default-src 'none'; script-src '{_hash(program)}'; style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="inngest-gen debug --html">
<title>{html.escape(title)}</title>
<style>{style}</style>
</head>
<body>
{_read("page.html").strip()}
<script type="application/json" id="recording">{embedded(document)}</script>
<script>{program}</script>
</body>
</html>
"""


def embedded(value: Any) -> str:
    """Write JSON that can stand in a script element: without anything that could end it, or begin a comment in it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII only: lone surrogates of what was printed are escaped too
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _style() -> str:
    return f"\n{_read('page.css')}"


@cache
def _program() -> str:
    return "\n".join(['\n(() => {\n"use strict";', *[_read(name) for name in _PROGRAM], "})();\n"])


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
