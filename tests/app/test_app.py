"""What an App takes, and refuses where it is written."""

from typing import Any

import pytest

import inngest_gen as ig


@pytest.mark.parametrize("id", ["", 5, "it's", "a\\b", "a\nb"])
def test_an_id_that_would_break_the_servers_expressions_is_refused(id: Any) -> None:
    with pytest.raises(ig.ConfigError, match="an app's id is a non-empty string without quotes, backslashes and line breaks"):
        ig.App(id, dev=True)


def test_what_cannot_log_is_no_logger() -> None:
    with pytest.raises(ig.ConfigError, match=r"the logger of app 'shop' is a logging\.Logger"):
        ig.App("shop", dev=True, logger="shop")  # type: ignore[arg-type]


@pytest.mark.parametrize("declare", ["function", "deferred", "scorer"])
def test_a_bare_decorator_is_an_error_at_once_and_not_a_function_that_is_not_there(declare: str) -> None:
    app = ig.App("shop", dev=True)

    async def send_mail(ctx: ig.Context) -> None: ...

    with pytest.raises(ig.ConfigError, match=r'id comes before its handler: @app\.function\("send-mail", \.\.\.\)'):
        getattr(app, declare)(send_mail)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"name": ""}, "the name of function 'f' is a non-empty string, not ''"),
        ({"name": 5}, "the name of function 'f' is a non-empty string, not 5"),
        ({"trigger": 5}, r"a trigger is an event's name, ig\.EventTrigger, ig\.Cron or ig\.EventType, not 5"),
    ],
)
def test_an_option_of_a_wrong_type_is_refused_where_it_is_written(option: dict[str, Any], sentence: str) -> None:
    async def handler(ctx: ig.Context) -> None: ...

    with pytest.raises(ig.ConfigError, match=sentence):
        ig.App("shop", dev=True).function("f", **option)(handler)
