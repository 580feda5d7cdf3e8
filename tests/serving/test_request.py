"""A request as a value: what its URL says."""

import pytest

from inngest_gen.serving import request
from inngest_gen.serving.request import Request


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", {}),
        ("fnId=shop-a%20b&stepId=step", {"fnId": "shop-a b", "stepId": "step"}),
        ("a=1&a=2&b=", {"a": "2", "b": ""}),
        (f"fnId=f&x={'y' * 5000}", {"fnId": "f", "x": "y" * 5000}),
    ],
)
def test_a_query_is_read_by_name(query: str, values: dict[str, str]) -> None:
    assert dict(Request(method="POST", url=f"https://a.example/api?{query}").query) == values


def test_of_what_anybody_sends_nothing_long_is_kept() -> None:
    request._known.cache_clear()
    Request(method="PUT", url=f"https://a.example/?{'x' * 1000}=1").query  # noqa: B018
    assert request._known.cache_info().currsize == 0
    Request(method="POST", url="https://a.example/?fnId=f&stepId=step").query  # noqa: B018
    assert request._known.cache_info().currsize == 1
