"""An app in Django, under ASGI and under WSGI.

Django's ASGI handler runs under asyncio only (asgiref does): that is why one class is not played under trio.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest import mock

import django
import django.conf
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path, reverse

import inngest_gen as ig
from inngest_gen.serving.django import database, view
from tests.serving.frameworks.contract import CALL, Contract, Host, small_app
from tests.serving.frameworks.sockets import wsgi_server

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]


@pytest.fixture(scope="module", autouse=True)
def set_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    where = tmp_path_factory.mktemp("django")
    if not django.conf.settings.configured:
        django.conf.settings.configure(
            ALLOWED_HOSTS=["*"],
            DATABASES={
                name: {"ENGINE": "django.db.backends.sqlite3", "NAME": where / name, "ATOMIC_REQUESTS": True} for name in ("default", "b")
            },
            DATA_UPLOAD_MAX_MEMORY_SIZE=10,  # ours counts
            INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
            MIDDLEWARE=MIDDLEWARE,
            SECRET_KEY="tests",
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        )
        django.setup()


@contextmanager
def urls(app: ig.App, **options: Any) -> Iterator[None]:
    """Let the app be served on its path, and nothing else."""
    with override_settings(ROOT_URLCONF=(path("api/inngest", view(app, **options), name="inngest"),)):
        yield


@asynccontextmanager
async def in_asgi(app: ig.App) -> AsyncIterator[Host]:
    with urls(app):
        yield Host(ASGIHandler())


@asynccontextmanager
async def in_wsgi(app: ig.App) -> AsyncIterator[Host]:
    with urls(app), wsgi_server(WSGIHandler()) as url:
        yield Host(url)


@pytest.mark.parametrize("anyio_backend", ["asyncio"], scope="module")
class TestASGI(Contract):
    framework = "django"
    hosting = in_asgi


class TestWSGI(Contract):
    framework = "django"
    hosting = in_wsgi


def test_hosts_that_are_not_allowed_are_refused_by_django() -> None:
    with urls(small_app()), override_settings(ALLOWED_HOSTS=["shop.example.com"]):
        answers = [Client(headers={"host": host}).get("/api/inngest") for host in ("shop.example.com", "evil.example.com")]
        assert [answer.status_code for answer in answers] == [200, 400]


def test_a_body_that_middleware_has_read_is_there_all_the_same() -> None:
    with urls(small_app()), override_settings(MIDDLEWARE=[f"{__name__}.Reader"], DATA_UPLOAD_MAX_MEMORY_SIZE=None):
        answer = Client().post("/api/inngest?fnId=shop-f&stepId=step", CALL, content_type="application/json")
        assert (answer.status_code, answer.json()) == (200, {"x": 1})


class Reader:
    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        assert request.body == CALL
        answer: HttpResponse = self.get_response(request)
        return answer


def test_it_has_a_name_to_be_found_by() -> None:
    with urls(small_app()):
        assert reverse("inngest") == "/api/inngest"


def test_connections_are_looked_after_around_a_step_function() -> None:
    @database
    def body(*, breaks: bool = False) -> int:
        """What it does."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            if breaks:
                cursor.execute("no SQL")
            found: int = cursor.fetchone()[0]
        return found

    assert (body.__name__, body.__doc__) == ("body", "What it does.")
    assert body() == 1
    assert connection.connection is None  # CONN_MAX_AGE is 0
    with override_connection_age(None):  # kept for ever
        assert body() == 1
        kept = connection.connection
        assert kept is not None
        assert body() == 1
        assert connection.connection is kept
        with pytest.raises(OperationalError):
            body(breaks=True)
        with mock.patch.object(connection, "is_usable", return_value=False):  # as when the database server was restarted
            with pytest.raises(OperationalError):
                body(breaks=True)
        assert connection.connection is None
        assert body() == 1
    connection.close()


@contextmanager
def override_connection_age(seconds: int | None) -> Iterator[None]:
    connection.close()
    with mock.patch.dict(connection.settings_dict, CONN_MAX_AGE=seconds):
        yield
