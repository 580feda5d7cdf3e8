"""An app as a WSGI application, under waitress; and what only WSGI has."""

import io
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

import inngest_gen as ig
from inngest_gen.serving import flask, wsgi
from inngest_gen.serving.background import LoopName
from tests.serving.frameworks.contract import CALL, LIMIT, Contract, Host, small_app
from tests.serving.frameworks.sockets import wsgi_server


@asynccontextmanager
async def alone(app: ig.App) -> AsyncIterator[Host]:
    with wsgi_server(wsgi.serve(app)) as url:
        yield Host(url)


@asynccontextmanager
async def under_trio(app: ig.App) -> AsyncIterator[Host]:
    with wsgi_server(wsgi.serve(app, path="/jobs", loop="trio")) as url:
        yield Host(url, "/jobs")


class TestAlone(Contract):
    framework = "wsgi"
    hosting = alone


class TestUnderTrio(Contract):
    framework = "wsgi"
    hosting = under_trio


def ask(application: Any, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    """One request to an application, without a server."""
    body = environ.pop("body", CALL)
    answered: list[Any] = []

    def start_response(*answer: Any) -> Any:
        answered.extend(answer)

    asked = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/api/inngest", "QUERY_STRING": "fnId=shop-f&stepId=step",
        "SERVER_NAME": "shop.example.com", "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)), **environ,
    }  # fmt: skip
    told = b"".join(application(asked, start_response))
    return answered[0], dict(answered[1]), told


@pytest.mark.parametrize(
    ("script", "path", "status"),
    [
        ("", "/api/inngest", "200 OK"),
        ("", "/api/inngest/", "200 OK"),
        ("/web", "/api/inngest", "200 OK"),  # the application is not at the root
        ("/api", "/inngest", "200 OK"),
        ("/jobs", "", "200 OK"),  # mounted there
        ("/jobs", "/", "200 OK"),
        ("/jobs", "/x", "404 Not Found"),
        ("", "", "404 Not Found"),
        ("", "/", "404 Not Found"),
        ("", "/api/inngest/x", "404 Not Found"),
    ],
)
def test_it_answers_on_its_path_or_where_it_is_mounted(script: str, path: str, status: str) -> None:
    told, headers, body = ask(wsgi.serve(small_app()), SCRIPT_NAME=script, PATH_INFO=path)
    assert told == status, body
    assert headers["content-length"] == str(len(body))


def test_a_body_that_the_server_ends_is_read_to_its_end() -> None:
    application = wsgi.serve(small_app())
    assert ask(application, CONTENT_LENGTH="", **{"wsgi.input_terminated": True})[0] == "200 OK"
    large = io.BytesIO(b" " * 10_000_000)
    assert ask(application, CONTENT_LENGTH="", **{"wsgi.input_terminated": True, "wsgi.input": large})[0] == "413 Request Entity Too Large"
    assert large.tell() <= LIMIT + 65536


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"CONTENT_LENGTH": "9" * 5000}, "413 Request Entity Too Large"),
        ({"CONTENT_LENGTH": str(len(CALL) + 1)}, "400 Bad Request"),  # the client went away
        ({"CONTENT_LENGTH": "-1"}, "400 Bad Request"),  # as if there were none
        ({"CONTENT_LENGTH": "x"}, "400 Bad Request"),
        ({"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}, "411 Length Required"),
    ],
)
def test_a_length_that_is_wrong_is_refused(environ: dict[str, Any], status: str) -> None:
    assert ask(wsgi.serve(small_app()), **environ)[0].partition(" ")[0] == status.partition(" ")[0]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_handlers_run_in_one_loop_that_lives_across_requests(loop: LoopName) -> None:
    app = ig.App("shop", dev=True)
    seen: set[int] = set()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        async def where() -> None:
            seen.add(threading.get_ident())

        yield ctx.step.run("where", where)
        yield ig.Done()

    application = wsgi.serve(app, loop=loop)
    assert {ask(application)[0] for _ in range(3)} == {"206 Partial Content"}
    assert len(seen) == 1
    assert seen != {threading.get_ident()}


FORKS = """
    import os
    import inngest_gen as ig
    from inngest_gen.serving import wsgi
    from tests.serving.frameworks.contract import small_app
    from tests.serving.frameworks.test_wsgi import ask

    application = wsgi.serve(small_app(), loop={loop!r})
    assert ask(application)[0] == "200 OK"  # as with `gunicorn --preload`, or uWSGI's default
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            assert [ask(application)[0] for _ in range(2)] == ["200 OK"] * 2
            raise SystemExit(7)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [7] * 3
    assert ask(application)[0] == "200 OK"
    print("all answered")
"""


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_forked_process_has_a_loop_of_its_own(loop: str) -> None:
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKS).format(loop=loop)], capture_output=True, text=True, timeout=60
    )
    assert (told.returncode, told.stdout) == (0, "all answered\n"), told.stderr


ENDS = """
    import threading, time
    import anyio
    import inngest_gen as ig
    from inngest_gen.serving import wsgi
    from tests.serving.frameworks.test_wsgi import ask

    app = ig.App("shop", dev=True)
    begun = threading.Event()

    @app.function("f", trigger="go")
    async def f(ctx):
        async def long():
            begun.set()
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.05)  # as a connection that says goodbye
                print("closed")
        yield ctx.step.run("long", long)
        yield ig.Done()

    threading.Thread(target=lambda: ask(wsgi.serve(app, loop={loop!r})), daemon=True).start()
    begun.wait()
    print("ends")
"""


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_call_under_way_is_cancelled_at_the_end_of_the_process_and_may_close_what_it_has(loop: str) -> None:
    told = subprocess.run([sys.executable, "-c", textwrap.dedent(ENDS).format(loop=loop)], capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stdout) == (0, "ends\nclosed\n"), told.stderr
    assert "Exception ignored" not in told.stderr


async def test_requests_at_the_same_time_are_answered_at_the_same_time() -> None:
    app = ig.App("shop", dev=True)
    both = threading.Barrier(2, timeout=30)

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("meet", both.wait)
        yield ig.Done()

    with wsgi_server(wsgi.serve(app)) as url:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(lambda: http.post(f"{url}/api/inngest?fnId=shop-f&stepId=step", content=CALL))
    assert not both.broken


@pytest.mark.parametrize("make", [wsgi.serve, flask.view])
def test_a_loop_that_is_not_known_is_refused_at_once(make: Any) -> None:
    with pytest.raises(ig.ConfigError, match='the loop that handlers run in is "asyncio" or "trio", not \'curio\''):
        make(ig.App("shop", dev=True), loop="curio")
