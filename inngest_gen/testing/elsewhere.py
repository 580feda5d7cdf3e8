"""Another process: under the other event loop and with another hash seed, it rebuilds a handler from its record and says where it comes to.

Promises: the handler is imported there as a program would, so what only this process has (globals that were set, modules that were patched) is
not there. Refuses: a handler that cannot be imported, such as one made inside a function.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import anyio
import orjson
import sniffio

from inngest_gen.app.app import App
from inngest_gen.app.function import Function
from inngest_gen.recording.format import document, read
from inngest_gen.recording.recording import Recording
from inngest_gen.testing.failures import CheckFailed
from inngest_gen.testing.stops import Stop, replayed

_SEEDS: Final = ("4242", "2424")
_MARK: Final = b"\nstops: "


def place_of(function: Function) -> dict[str, str] | None:
    """Say where a function can be imported from; None where it cannot."""
    module = sys.modules.get(getattr(inspect.unwrap(function.handler), "__module__", ""))
    if module is None or module.__name__ == "__main__":
        return None
    file = getattr(module, "__file__", None)
    for name, value in vars(module).items():
        if value is function or value is function.handler or (isinstance(value, App) and value is function.app):
            return {
                "module": module.__name__,
                "file": "" if file is None else str(Path(file).absolute()),
                "name": name,
                "function": function.id,
            }
    return None


async def stops_elsewhere(place: Mapping[str, str], recording: Recording, stops: Sequence[Stop]) -> tuple[str, list[Stop]]:
    """Rebuild the handler for each of these stops in another process. Gives how that differs, in words, and the stops there.

    Raises CheckFailed if the process fails.
    """
    loop = "trio" if sniffio.current_async_library() == "asyncio" else "asyncio"
    seed = next(seed for seed in _SEEDS if seed != os.environ.get("PYTHONHASHSEED"))
    asked = {
        "place": dict(place),
        "path": sys.path,
        "loop": loop,
        "recording": document(recording),
        "stops": [stop.json() for stop in stops],
    }
    told = await anyio.run_process(
        [sys.executable, "-m", "inngest_gen.testing.elsewhere"],
        input=orjson.dumps(asked),
        env={**os.environ, "PYTHONHASHSEED": seed},
        stderr=subprocess.PIPE,
        check=False,
    )
    where = f"in another process, under {loop}, with another hash seed"
    _, mark, answer = told.stdout.rpartition(_MARK)
    if not mark:
        raise CheckFailed(f"the handler could not be rebuilt {where}:\n{told.stderr.decode(errors='replace').strip()}")
    return where, [Stop.from_json(one) for one in orjson.loads(answer)]


def _main() -> None:
    asked = orjson.loads(sys.stdin.buffer.read())
    sys.path[:] = asked["path"]
    function = _imported(asked["place"])
    recording = read(asked["recording"])
    stops = [Stop.from_json(one) for one in asked["stops"]]

    async def rebuild() -> list[Stop]:
        return [await replayed(function, recording, stop) for stop in stops]

    found = anyio.run(rebuild, backend=asked["loop"])
    sys.stdout.flush()
    sys.stdout.buffer.write(_MARK + orjson.dumps([stop.json() for stop in found]))
    sys.stdout.flush()


def _imported(place: Mapping[str, str]) -> Function:
    thing: Any = getattr(_module(place), place["name"])
    if isinstance(thing, Function):
        return thing
    if isinstance(thing, App):
        return thing.functions[place["function"]]
    return App("test", dev=True).function(place["function"])(thing)


def _module(place: Mapping[str, str]) -> ModuleType:
    try:
        return importlib.import_module(place["module"])
    except ImportError:
        # Test modules are often not where their name says.
        spec = importlib.util.spec_from_file_location(place["module"], place["file"])
        if spec is None or spec.loader is None:
            raise
        module = importlib.util.module_from_spec(spec)
        sys.modules[place["module"]] = module
        spec.loader.exec_module(module)
        return module


if __name__ == "__main__":
    _main()
