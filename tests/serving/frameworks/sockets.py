"""WSGI applications on loopback ports, under waitress in threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from waitress import wasyncore
from waitress.server import create_server


@contextmanager
def wsgi_server(application: Any, *, threads: int = 8) -> Iterator[str]:
    """Serve on a free port, each request in a thread; gives the URL."""
    sockets: dict[int, Any] = {}
    server = create_server(application, sockets, host="127.0.0.1", port=0, threads=threads)
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set():
            wasyncore.loop(map=sockets, count=1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.task_dispatcher.shutdown()  # first: its threads wake the loop when they have answered
        stopping.set()
        server.pull_trigger()
        thread.join()
        wasyncore.close_all(sockets)
