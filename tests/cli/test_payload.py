"""An event's data from the command line."""

import pathlib

import pytest

from inngest_gen.cli import payload
from inngest_gen.cli.refusal import Refusal


def nothing() -> bytes:
    raise AssertionError("stdin is read only when it is asked for")


def test_no_data_is_an_empty_object() -> None:
    event = payload.event("order/placed", None, nothing)
    assert (event.name, event.data, event.id) == ("order/placed", {}, None)


def test_data_as_an_argument_a_file_and_stdin(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"id": "é"}')
    for text in ('{"id": "é"}', f"@{file}", "-"):
        assert payload.event("x", text, file.read_bytes, id="e1").data == {"id": "é"}
    assert payload.event("x", "{}", nothing, id="e1").id == "e1"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a":', 'the data is not valid JSON (unexpected end of data, line 1, column 6): {"a":'),
        ("", "line 1, column 1): it is empty"),
        ("{'a': 1}", "{'a': 1}; JSON wants double quotes"),
        ("[1]", 'the data holds an array; an event\'s data is a JSON object, such as \'{"order_id": "o1"}\''),
        ('"x"', "the data holds a string;"),
        ("7", "the data holds a number;"),
        ("7.5", "the data holds a number;"),
        ("true", "the data holds a boolean;"),
        ("null", "the data holds null;"),
        ('{"n": 99999999999999999}', "the data of event 'x' cannot become JSON: it is an integer beyond 2**53"),
        ('{"n": NaN}', "the data is not valid JSON"),
        ("@", "cannot read '.': Is a directory"),
        ("@nowhere.json", "cannot read 'nowhere.json': No such file or directory"),
        ("@" + "a" * 300, "File name too long"),
        ('{"a": "' + "x" * 200, '{"a": "' + "x" * 53 + "..."),
    ],
)
def test_bad_data_is_refused_in_a_line_that_says_why(text: str, line: str) -> None:
    with pytest.raises(Refusal) as refused:
        payload.event("x", text, nothing)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


def test_bad_bytes_on_stdin() -> None:
    with pytest.raises(Refusal, match="stdin is not valid JSON"):
        payload.event("x", "-", lambda: b'{"a": "\xff"}')


@pytest.mark.parametrize(("name", "reason"), [("", "non-empty string"), ("inngest/function.failed", "reserved")])
def test_bad_names(name: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        payload.event(name, None, nothing)


def test_too_much_data() -> None:
    with pytest.raises(Refusal, match="the limit is 4,194,304"):
        payload.event("x", '{"a": "' + "x" * 4_194_304 + '"}', nothing)
