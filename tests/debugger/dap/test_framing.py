"""Framing: messages come as they were sent, however the bytes are cut; what is no message is told, and costs no memory."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.debugger.dap.framing import HEADER_LIMIT, LIMIT, Decoder, Lost, Malformed, encode

messages = st.dictionaries(st.text(), st.one_of(st.none(), st.integers(-(2**53), 2**53), st.text(), st.lists(st.text())))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


@given(sent=st.lists(messages, max_size=5), places=st.lists(st.integers(0, 300), max_size=10))
def test_messages_come_as_they_were_sent(sent: list[dict[str, Any]], places: list[int]) -> None:
    decoder = Decoder()
    got = [message for piece in cut(b"".join(map(encode, sent)), places) for message in decoder.feed(piece)]
    assert got == sent


def test_half_a_surrogate_pair_is_escaped() -> None:
    [message] = Decoder().feed(encode({"text": "\ud800 é"}))
    assert isinstance(message, Malformed) or message == {"text": "\ud800 é"}
    assert json.loads(encode({"text": "\ud800 é"}).partition(b"\r\n\r\n")[2]) == {"text": "\ud800 é"}


@pytest.mark.parametrize(
    "header", [b"Content-Length: 2\r\n\r\n", b"content-length:2\r\nContent-Type: x\r\n\r\n", b"X: y\r\nCONTENT-LENGTH:   2  \r\n\r\n"]
)
def test_headers_are_read_as_clients_write_them(header: bytes) -> None:
    assert Decoder().feed(header + b"{}") == [{}]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: x\r\n\r\n",
        b"\r\n\r\n",
        b"Content-Length: 9" + b"9" * 30 + b"\r\n\r\n",
    ],
)
def test_what_is_no_header_is_lost(data: bytes) -> None:
    with pytest.raises(Lost):
        Decoder().feed(data)


def test_a_header_without_an_end_is_lost_before_it_costs_anything() -> None:
    decoder = Decoder()
    with pytest.raises(Lost, match="no end of a header within 4,096 bytes"):
        for _ in range(HEADER_LIMIT):
            decoder.feed(b"x")


def test_what_is_no_json_is_told_and_passed_over() -> None:
    data = b"Content-Length: 3\r\n\r\n{]}" + b"Content-Length: 0\r\n\r\n" + b"Content-Length: 1\r\n\r\n\xff" + encode({"a": 1})
    first, second, third, last = Decoder().feed(data)
    assert [type(one) for one in (first, second, third)] == [Malformed] * 3
    assert first.why.startswith("the content is no JSON: ")
    assert last == {"a": 1}


def test_a_message_that_is_too_long_is_told_at_once_and_not_kept() -> None:
    decoder = Decoder()
    [told] = decoder.feed(b"Content-Length: %d\r\n\r\n" % (LIMIT + 1))
    assert told == Malformed(f"a message of {LIMIT + 1:,} bytes is too long: at most {LIMIT:,} are read")
    piece = b"x" * 1_048_576
    for _ in range(LIMIT // len(piece)):
        assert decoder.feed(piece) == []
    assert len(decoder._buffer) == 0
    assert decoder.feed(b"x" + encode({"a": 1})) == [{"a": 1}]


def test_deep_json_is_no_crash() -> None:
    content = b"[" * 100_000
    [told] = Decoder().feed(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
    assert isinstance(told, Malformed)
