"""What `import inngest_gen` costs in CPU time, in a fresh interpreter whose files are cached."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from tests.bench.figure import Figure, of_samples
from tests.bench.side import ROOT

_MEASURE = "import time; before = time.process_time(); import inngest_gen; print(time.process_time() - before)"


def measure(rounds: int = 15) -> Iterator[Figure]:
    """Measure it in one interpreter after the other; the first compiles what has changed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", _MEASURE]
    seconds = [float(subprocess.check_output(command, cwd=ROOT, env=environment)) for _ in range(rounds + 1)]
    yield of_samples(seconds[1:], name="import", what="`import inngest_gen`, CPU", unit="s", better="less", limit=0.15)
