"""Steps through a recorded run, forwards and backwards: `from inngest_gen.debugger import Session`.

No step body runs, and nothing reaches an engine or a server. The public names; docs/reference/debugger.md tells what each one is.
"""

from __future__ import annotations

from inngest_gen.debugger.breakpoint import Breakpoint
from inngest_gen.debugger.evaluation import Evaluation
from inngest_gen.debugger.fetching import fetch
from inngest_gen.debugger.history import History
from inngest_gen.debugger.looks import LastChange
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Mark, Stop
from inngest_gen.debugger.variables import Variable
from inngest_gen.debugger.verdict import Verdict, check
from inngest_gen.debugger.web.export import to_html
from inngest_gen.recording.format import dumps, loads
from inngest_gen.recording.recording import Recording
from inngest_gen.recording.redaction import redact

__all__ = [
    "Breakpoint",
    "Evaluation",
    "History",
    "LastChange",
    "Mark",
    "Recording",
    "Session",
    "Stop",
    "Variable",
    "Verdict",
    "check",
    "dumps",
    "fetch",
    "loads",
    "redact",
    "to_html",
]
