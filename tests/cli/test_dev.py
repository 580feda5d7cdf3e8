"""`inngest-gen dev`: events in, reloads, signals; always as real processes."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from inngest_gen.engine.store.reader import Reader
from tests.cli import program
from tests.cli.conftest import Cli
from tests.cli.program import COMMAND, ORDERS, Program, environment, started, until

Read = Callable[[], Reader]

SHOP = """
import pathlib

import anyio
import inngest_gen as ig

app = ig.App("shop")


async def hold():
    pathlib.Path("started").touch()
    while not pathlib.Path("go").exists():
        await anyio.sleep(0.01)


@app.function("greets", trigger="hello")
async def greets(ctx):
    yield ctx.step.run("first", int, "1")
    if ctx.data.get("hold"):
        yield ctx.step.run("hold", hold)
    yield ctx.step.wait_for_event("go-on", "go/on", timeout="30d")
    yield ig.Done("version 1")
"""


@contextlib.contextmanager
def dev(home: pathlib.Path, *options: str, target: str = "shop.py:app", ready: bool = True) -> Iterator[Program]:
    with started("dev", target, "--port", "0", *options, cwd=home) as running:
        if ready:
            running.until("or over HTTP:")
        yield running
        if running.process.poll() is None:
            assert running.stop() == 130


@pytest.fixture
def shop(home: pathlib.Path) -> pathlib.Path:
    (home / "shop.py").write_text(SHOP)
    return home


def url(running: Program) -> str:
    found = re.findall(r"POST (http://\S+)/e/dev", running.out)
    return str(found[-1])


def test_it_greets_with_what_it_needs_to_be_used(shop: pathlib.Path, loop: str) -> None:
    with dev(shop, "--loop", loop) as running:
        assert running.out.splitlines()[:3] == [
            f"inngest-gen dev: shop.py:app on inngest-gen.db, under {loop}; Ctrl-C stops",
            "  shop-greets                   hello",
            "  send events:   inngest-gen events send hello '{}'",
        ]
        assert httpx.get(url(running)).json() == {
            "app": "shop", "functions": ["greets"], "events": ["hello"], "db": "inngest-gen.db", "loop": loop, "status": 200,
        }  # fmt: skip


def test_events_come_through_the_file_and_over_http(shop: pathlib.Path, loop: str, cli: Cli, read: Read) -> None:
    with dev(shop, "--loop", loop) as running:
        through_file = cli("events", "send", "hello")
        assert (through_file.code, through_file.err) == (0, "")
        over_http = cli("events", "send", "hello", "--url", url(running))
        assert (over_http.code, over_http.err) == (0, "")
        batch = httpx.post(f"{url(running)}/events", json=[{"name": "hello"}, {"name": "nobody/listens"}])
        assert (batch.status_code, len(batch.json()["ids"])) == (200, 2)
        refused = httpx.post(f"{url(running)}/e/dev", content=b"{")
        assert (refused.status_code, refused.json()["status"]) == (400, 400)
        running.until("go-on: waits for an event", 3)
        assert len(read().caused(through_file.out.strip())) == len(read().caused(over_http.out.strip())) == 1
        cli("events", "send", "go/on")
        running.until("completed after", 3)
    assert {run.status for run in read().runs()} == {"completed"}


def test_it_reloads_on_a_change_and_runs_go_on_where_they_were(shop: pathlib.Path, loop: str, cli: Cli, read: Read) -> None:
    with dev(shop, "--loop", loop) as running:
        address = url(running)
        cli("events", "send", "hello", '{"hold": true}')
        until((shop / "started").exists, "the step")
        (shop / "shop.py").write_text(SHOP.replace("version 1", "version 2"))
        running.until("shop.py changed: reloading")
        (shop / "go").touch()  # the step in flight ends in the old process
        running.until("inngest-gen dev: reloaded shop.py:app; functions: 1, unfinished runs taken up: 1")
        assert httpx.get(address).json()["status"] == 200
        cli("events", "send", "go/on")
        running.until('"version 2"')
    (run,) = read().runs()
    assert [(step.id, step.status) for step in run.steps] == [("first", "completed"), ("hold", "completed"), ("go-on", "completed")]
    assert "note" in [note.kind for note in run.notes] or run.output == "version 2"
    assert "Traceback" not in running.err


def test_a_change_that_does_not_load_waits_for_the_next(shop: pathlib.Path) -> None:
    with dev(shop) as running:
        (shop / "shop.py").write_text("def broken(:\n")
        running.until("inngest-gen: waiting for a change")
        assert "SyntaxError" in running.err
        (shop / "shop.py").write_text(SHOP)
        running.until("reloaded shop.py:app")
        assert httpx.get(url(running)).json()["app"] == "shop"


def test_requests_wait_while_it_reloads(shop: pathlib.Path) -> None:
    with dev(shop) as running:
        (shop / "shop.py").write_text("def broken(:\n")
        running.until("waiting for a change")
        with socket.create_connection(("127.0.0.1", int(url(running).rpartition(":")[2])), timeout=program.PATIENCE_S) as waiting:
            waiting.sendall(b"GET / HTTP/1.0\r\n\r\n")
            (shop / "shop.py").write_text(SHOP)
            assert waiting.recv(12).startswith(b"HTTP/1.")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_while_it_waits_for_a_change(shop: pathlib.Path, number: signal.Signals, status: int) -> None:
    with dev(shop) as running:
        (shop / "shop.py").write_text("1 / 0\n")
        running.until("waiting for a change")
        assert running.stop(number) == status


@pytest.mark.parametrize(
    ("number", "status", "options"), [(signal.SIGINT, 130, ()), (signal.SIGTERM, 0, ()), (signal.SIGTERM, 0, ("--no-reload",))]
)
def test_a_signal_lets_the_step_in_flight_end(
    shop: pathlib.Path, loop: str, cli: Cli, read: Read, number: signal.Signals, status: int, options: tuple[str, ...]
) -> None:
    with dev(shop, *options, "--loop", loop) as running:
        httpx.post(f"{url(running)}/events", json={"name": "hello", "data": {"hold": True}})
        until((shop / "started").exists, "the step")
        running.process.send_signal(number)
        running.until("stopping; steps in flight may end first (a second signal stops at once)")
        (shop / "go").touch()
        assert running.end() == status
    assert running.err.count("inngest-gen: stopped; unfinished runs go on when an engine next starts on the file\n") == 1
    (run,) = read().runs()
    assert [(step.id, step.status) for step in run.steps][:2] == [("first", "completed"), ("hold", "completed")]
    assert run.status == "running"


def test_the_second_signal_stops_at_once(shop: pathlib.Path, read: Read) -> None:
    with dev(shop) as running:
        httpx.post(f"{url(running)}/events", json={"name": "hello", "data": {"hold": True}})
        until((shop / "started").exists, "the step")
        running.process.send_signal(signal.SIGINT)
        running.until("stopping")
        running.process.send_signal(signal.SIGINT)
        assert running.end() == 130
    (run,) = read().runs()
    assert [step.id for step in run.steps if step.status == "completed"] == ["first"]


def test_a_killed_supervisor_takes_its_child_along(shop: pathlib.Path, cli: Cli) -> None:
    with dev(shop) as running:
        running.process.kill()
        running.process.wait()
        # The lock is free again only when the child is gone.
        until(lambda: cli("events", "send", "x").err.startswith("inngest-gen: no engine is running"), "the child's end")


def test_a_killed_engine_ends_dev_with_its_status(shop: pathlib.Path) -> None:
    with dev(shop) as running:
        children = pathlib.Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
        if not children.exists():
            pytest.skip("needs /proc with children: Linux")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        assert running.end() == 128 + signal.SIGKILL


def test_unfinished_runs_are_taken_up_and_told(shop: pathlib.Path, cli: Cli) -> None:
    cli("run", "shop.py:app", "hello", "--timeout", "0.2")
    with dev(shop) as running:
        assert "  unfinished runs taken up: 1" in running.out
        cli("events", "send", "go/on")
        running.until('completed: "version 1"')


@pytest.mark.parametrize("options", [(), ("--no-reload",)])
def test_what_cannot_start_ends_with_a_line_and_status_2(shop: pathlib.Path, options: tuple[str, ...]) -> None:
    for target, line in (("shop.py:nope", "shop.py has no 'nope'; its Apps: shop.py:app"), ("gone.py", "there is no file gone.py")):
        result = program.run("dev", target, "--port", "0", *options, cwd=shop)
        assert (result.returncode, result.stdout, result.stderr) == (2, "", f"inngest-gen: {line}\n")


def test_a_file_that_another_engine_has(shop: pathlib.Path) -> None:
    with dev(shop) as running:
        second = program.run("dev", "shop.py", "--port", "0", cwd=shop)
        assert (second.returncode, second.stdout) == (2, "")
        assert re.fullmatch(
            r"inngest-gen: inngest-gen.db is in use by another engine \(process \d+\): one engine a file; .*\n", second.stderr
        )
        assert running.process.poll() is None


def test_a_port_that_is_taken_and_a_host_that_is_not_ours(cli: Cli, shop: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        taken = cli("dev", "shop.py", "--port", port)
    assert (taken.code, taken.out) == (2, "")
    assert taken.err == f"inngest-gen: cannot listen on 127.0.0.1:{port}: Address already in use; another --port, or 0 for a free one\n"
    assert cli("dev", "shop.py", "--host", "198.51.100.1", "--port", "0").err.startswith("inngest-gen: cannot listen on 198.51.100.1:0: ")


def test_without_the_extra_it_says_how_to_get_it_and_goes_on(shop: pathlib.Path, cli: Cli) -> None:
    code = (
        "import importlib.util as u, sys; real = u.find_spec;"
        " u.find_spec = lambda name, *a: None if name == 'hypercorn' else real(name, *a);"
        " from inngest_gen.cli.main import main; main()"
    )
    command = [sys.executable, "-P", "-c", code, "dev", "shop.py", "--no-reload"]
    process = subprocess.Popen(command, cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
    assert process.stdout is not None
    with process.stdout:
        try:
            seen = ""
            while "send events:" not in seen:
                line = process.stdout.readline()
                assert line, seen
                seen += line
            assert "inngest-gen: no HTTP: it needs `pip install 'inngest-gen[server]'`; `inngest-gen events send` works without\n" in seen
            assert cli("events", "send", "hello").err == ""
            while "go-on: waits" not in process.stdout.readline():
                pass
            process.send_signal(signal.SIGTERM)
            assert "over HTTP" not in seen + process.stdout.read()
            assert process.wait(program.PATIENCE_S) == 0
        finally:
            process.kill()
            process.wait()


def test_json_keeps_its_types_through_http(shop: pathlib.Path, read: Read) -> None:
    data: dict[str, Any] = {"text": "é", "number": 1.5, "nested": [{"a": None}], "hold": False}
    with dev(shop) as running:
        answer = httpx.post(
            f"{url(running)}/e/any",
            content=json.dumps({"name": "hello", "data": data, "id": "e1"}),
            headers={"content-type": "application/json"},
        )
        assert answer.json() == {"ids": ["e1"], "status": 200}
        running.until("go-on: waits")
    assert read().runs()[0].event.data == data


def test_commands_are_shown_as_users_type_them() -> None:
    assert COMMAND[-1] == "inngest_gen.cli.main"
    assert pathlib.Path(ORDERS).exists()
