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
