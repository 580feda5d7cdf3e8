"""What `import inngest_gen` costs in CPU time, in a fresh interpreter whose files are cached."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from tests.bench.figure import Figure, of_samples
from tests.bench.side import ROOT

_MEASURE = "import time; before = time.process_time(); import inngest_gen; print(time.process_time() - before)"


def measure(rounds: int = 15) -> Iterator[Figure]:
    """Measure it in one interpreter after the other."""
    seconds = [float(subprocess.check_output([sys.executable, "-c", _MEASURE], cwd=ROOT)) for _ in range(rounds + 1)]
    yield of_samples(seconds[1:], name="import", what="`import inngest_gen`, CPU", unit="s", better="less", limit=0.15)
