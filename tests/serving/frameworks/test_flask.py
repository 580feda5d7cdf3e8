"""An app in Flask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import flask

import inngest_gen as ig
from inngest_gen.serving.flask import view
from tests.serving.frameworks.contract import CALL, LIMIT, Contract, Host, small_app
from tests.serving.frameworks.sockets import wsgi_server


def web_of(app: ig.App) -> flask.Flask:
    web = flask.Flask(__name__)
    web.config["MAX_CONTENT_LENGTH"] = 10  # ours counts
    web.add_url_rule("/api/inngest", view_func=view(app))
    return web


@asynccontextmanager
async def in_flask(app: ig.App) -> AsyncIterator[Host]:
    with wsgi_server(web_of(app)) as url:
        yield Host(url)


class TestFlask(Contract):
    framework = "flask"
    hosting = in_flask


def test_a_body_that_something_else_has_read_is_there_all_the_same() -> None:
    web = web_of(small_app())

    @web.before_request
    def audit() -> None:
        flask.request.max_content_length = LIMIT
        assert flask.request.get_data() == CALL

    answer = web.test_client().post("/api/inngest?fnId=shop-f&stepId=step", data=CALL)
    assert (answer.status_code, answer.json) == (200, {"x": 1})


def test_the_rest_of_the_application_is_left_alone() -> None:
    web = web_of(small_app())
    web.add_url_rule("/", view_func=lambda: "home", endpoint="home")
    client = web.test_client()
    assert client.get("/").text == "home"
    assert client.get("/nowhere").status_code == 404
    with web.test_request_context():
        assert flask.url_for("inngest") == "/api/inngest"
