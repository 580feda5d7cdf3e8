"""RUN on the command line of `debug` -> a Recording: the path of one, a run in the engine's file, or one on an Inngest server."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inngest_gen.cli.refusal import Refusal
from inngest_gen.cli.selection import select
from inngest_gen.engine.store.reader import Reader
from inngest_gen.errors import RecordingError, RunNotFound
from inngest_gen.recording.format import loads
from inngest_gen.recording.recording import Recording

if TYPE_CHECKING:
    from inngest_gen.app.app import App


def find(run: str, db: pathlib.Path) -> Recording:
    """Give the recording that is meant. Raises Refusal, StoreError and RunNotFound."""
    return _read(pathlib.Path(run)) if names_a_file(run) else recorded(run, db)


def recorded(run: str, db: pathlib.Path) -> Recording:
    """Give the recording of a run in the engine's file. Raises StoreError and RunNotFound."""
    reader = Reader(db)
    try:
        id = select(reader, run)
        recording = reader.recording(id)
    finally:
        reader.close()
    if recording is None:
        raise RunNotFound(id)
    return recording


def names_a_file(run: str) -> bool:
    """Say whether RUN is the path of a recording, and no run in the engine's file."""
    path = pathlib.Path(run)
    return path.suffix == ".json" or path.is_file()


def _read(path: pathlib.Path) -> Recording:
    try:
        return loads(path.read_bytes())
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}") from None
    except RecordingError as error:
        raise Refusal(f"{path}: {error}") from None


def find_on_server(run: str, app: App, url: str | None, loop: str) -> Recording:
    """Read a run from an Inngest server, at `url` or where the app's settings say. Raises Refusal, RecordingError and ApiError."""
    import anyio

    from inngest_gen.debugger.fetching import fetch
    from inngest_gen.net.api import Api

    settings = app.settings
    if url is not None:
        url = url if "://" in url else f"http://{url}"
        if not urlsplit(url).hostname:
            raise Refusal(f"{url!r} is no URL of a server, such as http://localhost:8288")
        settings = dataclasses.replace(settings, api_url=url.rstrip("/"))

    async def read() -> Recording:
        api = Api(settings)
        try:
            return await fetch(api, app, run)
        finally:
            await api.aclose()

    return anyio.run(read, backend=loop)
