"""`inngest-gen events send`: through the file and over HTTP."""

import json
import pathlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from inngest_gen.engine.store.database import lock
from inngest_gen.engine.store.reader import Reader
from inngest_gen.ids import ulid_time
from tests.cli.conftest import Cli
from tests.cli.program import ORDERS, started, until

Read = Callable[[], Reader]


def test_an_event_waits_in_the_file_for_the_next_engine(cli: Cli, read: Read) -> None:
    cli("run", ORDERS, "order/lost")
    result = cli("events", "send", "order/placed", '{"order_id": "o2"}')
    assert (result.code, result.err) == (
        0,
        "inngest-gen: no engine is running on inngest-gen.db: the event will be taken when one next starts\n",
    )
    id = result.out.strip()
    assert ulid_time(id) > 1_700_000_000
    assert read().caused(id) == []
    cli("run", ORDERS, "order/placed", "--id", id)
    assert [run.event.data for run in read().runs(function="placed")] == [{"order_id": "o2"}]


def test_beside_an_engine_it_is_quiet(cli: Cli, home: pathlib.Path) -> None:
    cli("run", ORDERS, "order/lost")
    with lock(home / "inngest-gen.db"):
        result = cli("events", "send", "order/placed", "-", "--id", "e7", stdin='{"order_id": "o2"}')
    assert (result.code, result.out, result.err) == (0, "e7\n", "")


def test_a_running_engine_takes_it_and_a_wait_ends(cli: Cli, home: pathlib.Path, loop: str) -> None:
    with started("run", ORDERS, "approval/asked", '{"id": 7}', "--loop", loop, cwd=home) as running:
        running.until("waits for an event")
        assert cli("events", "send", "approval/given", '{"id": 8}').code == 0
        assert cli("events", "send", "approval/given", '{"id": 7}').code == 0
        assert running.end() == 0
    assert running.out.splitlines()[-1] == '  "given"'


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["x"], "inngest-gen.db does not exist: start `inngest-gen dev MODULE:APP` first, or name the engine's file with --db"),
        (["x", "[]"], "the data holds an array"),
        (["x", "{}", "--id", ""], "the id of event 'x' must be a non-empty string or None, not ''"),
        (["inngest/x"], "the event name 'inngest/x' is reserved"),
        (["x", "--url", "http://127.0.0.1:1"], "cannot send to http://127.0.0.1:1: "),
        (["x", "--url", "nonsense"], "cannot send to nonsense: "),
        (["x", "--url", "http://[::1"], "cannot send to http://[::1: "),
    ],
)
def test_what_is_refused(cli: Cli, arguments: list[str], line: str) -> None:
    result = cli("events", "send", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith(f"inngest-gen: {line}")


class Recorder(BaseHTTPRequestHandler):
    """Answers as it is told, and remembers what it got."""

    answer: tuple[int, bytes] = (200, b'{"ids": ["e1"], "status": 200}')
    got: tuple[str, Any] = ("", None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).got = self.path, json.loads(body)
        status, answer = type(self).answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_http_it_goes_to_the_key(cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = cli("events", "send", "order/placed", '{"a": 1}', "--id", "e1", "--url", f"{url}/", "--key", "my-key")
    assert (result.code, result.out, result.err) == (0, "e1\n", "")
    assert Recorder.got == ("/e/my-key", {"name": "order/placed", "data": {"a": 1}, "id": "e1"})


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ((400, b'{"ids": [], "status": 400, "error": "no room"}'), "refused the event (HTTP 400): no room"),
        ((502, b"<html>bad gateway</html>"), "refused the event (HTTP 502): <html>bad gateway</html>"),
        ((404, b"[]"), "refused the event (HTTP 404): []"),
    ],
)
def test_over_http_a_refusal_is_told(cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes], line: str) -> None:
    monkeypatch.setattr(Recorder, "answer", answer)
    result = cli("events", "send", "x", "--url", url)
    assert (result.code, result.out) == (2, "")
    assert line in result.err


def test_the_patience_of_tests_has_an_end() -> None:
    with pytest.raises(AssertionError, match=r"waited 0\.05 s for nothing"):
        until(lambda: False, "nothing", 0.05)
