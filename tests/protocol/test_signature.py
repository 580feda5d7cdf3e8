"""Signatures: the vectors of the SDKs, freshness, the fallback key, and that nothing is accepted which the key's holder did not sign."""

import json
from typing import Any

import jcs
import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from inngest_gen.errors import ConfigError
from inngest_gen.protocol import signature
from inngest_gen.protocol.signature import SignatureRefused, bearer, canonical, sign, verify

KEY = "signkey-test-f00f3005a3666b359a79c2bc3380ce2715e62727ac461ae1a2618f8766029c9f"
NOW = 1687306735.0
BODY = (
    b'{"ctx":{"fn_id":"local-testing-local-cron","run_id":"01GQ3HTEZ01M7R8Z9PR1DMHDN1","step_id":"step"},'
    b'"event":{"data":{},"id":"","name":"demo/event.sent","ts":1674082830001,"v":"1"},'
    b'"events":[{"data":{},"id":"","name":"demo/event.sent","ts":1674082830001,"v":"1"}],"steps":{},"use_api":false}'
)
MAC = "a060f245a5d0c3c779ef65fd15b2ac06e4ab98dd8cc9860aa0722c8481ae02ab"
HEADER = f"t=1687306735&s={MAC}"


# Vectors: E10 to E14.


@pytest.mark.parametrize(
    ("key", "now", "body", "mac"),
    [
        (KEY, 1687306735, BODY, MAC),
        ("signkey-test-abc123", 1234567890, b"hello world", "038b2065d99431f34b7d85b98e6b481c04c3ee249671c9fb38f764e0d8b68535"),
        ("signkey-test-abc123", 1234567890, b'{"a":1,"b":2}', "3c13036f1237b8f69f0dafd6abd350e9b1f69d1c779eb5eb81fa88e9d6628ebe"),
        ("signkey-test-abc123", 1234567890, "Hello 世界 🌍".encode(), "34b237968a0ff60b88b611acea58f52be511e6778774849698718a523d1af620"),
        ("signkey-test-abc123", 1234567890, b"", "ea1cbc12e31e8be80b32f591df8784d248223c5acb45aac46ac1b38d18ad8f9e"),
        ("signkey-prod-000000", 1700000000, b'{"msg":"a & b"}', "5909f3f375f3665602c8e3421454f98e67aba5d64c9a8e9b7454e7d4b552782c"),
        ("signkey-prod-000000", 1700000000, b"", "f2cd337e0d6a8aa00b85440db039d48e4e20330c4f691e378f85cef0793599a7"),
    ],
)
def test_bodies_are_signed_as_the_sdks_do(key: str, now: int, body: bytes, mac: str) -> None:
    assert sign(body, key, now + 0.75) == f"t={now}&s={mac}"
    assert verify(body, f"t={now}&s={mac}", [key], now) == key
    assert verify(body, f"s={mac}&t={now}", [key], now) == key


def test_keys_that_did_not_sign_are_refused() -> None:
    header = "t=1687306735&s=eece58c8cf7cfc21a5751b1969c9aef525c96257b42b556c2782c83d26ea0d87"
    with pytest.raises(SignatureRefused, match="does not match"):
        verify(BODY, header, ["fake", "another-fake"], NOW)


@pytest.mark.parametrize(
    ("key", "token"),
    [
        (
            "568c4116828e6e8384a554153722df93022e5cd29a6c2d1b0444a19a807ff315",
            "2e64ca0edc850db32ff684f967822c828f99cf57862e43205fdcf2eff8d95180",
        ),
        ("signkey-prod-12345678", "signkey-prod-b2ed992186a5cb19f6668aade821f502c1d00970dfd0e35128d51bac4649916c"),
        ("deadbeef", "5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953"),
    ],
)
def test_the_bearer_token_is_the_key_hashed_with_its_prefix_kept(key: str, token: str) -> None:
    assert bearer(key) == f"Bearer {token}"


@pytest.mark.parametrize("key", ["fake", "signkey-prod-xyz", "signkey-prod-123", "12 34", "signkey-prod-ünïcode"])
def test_a_key_that_is_not_hexadecimal_has_no_token(key: str) -> None:
    with pytest.raises(ConfigError, match="hexadecimal") as raised:
        bearer(key)
    assert key not in str(raised.value)


def test_the_prefix_of_a_key_is_no_part_of_the_secret() -> None:
    assert sign(b"x", "signkey-test-mykey", NOW) == sign(b"x", "signkey-prod-mykey", NOW) == sign(b"x", "mykey", NOW)


# Keys.


def test_the_fallback_key_counts_and_the_key_that_verified_is_given() -> None:
    assert verify(BODY, HEADER, ["fake", KEY], NOW) == KEY
    assert verify(BODY, HEADER, [KEY, "fake"], NOW) == KEY


@pytest.mark.parametrize("keys", [[], [""], ["signkey-prod-"], ["", "signkey-test-"]])
def test_an_empty_key_verifies_nothing(keys: list[str]) -> None:
    import hashlib
    import hmac

    forged = hmac.new(b"", BODY + b"1687306735", hashlib.sha256).hexdigest()
    with pytest.raises(SignatureRefused, match="no signing key"):
        verify(BODY, f"t=1687306735&s={forged}", keys, NOW)


@pytest.mark.parametrize("key", ["", "signkey-prod-"])
def test_nothing_is_signed_with_an_empty_key(key: str) -> None:
    with pytest.raises(ConfigError, match="empty"):
        sign(b"x", key, NOW)


def test_a_key_from_an_environment_that_is_no_utf8_is_a_key_as_another() -> None:
    key = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert verify(b"x", sign(b"x", key, NOW), ["fake", key], NOW) == key


# Freshness: E05.


@pytest.mark.parametrize("away", [0, 60, 300, -60, -300])
def test_a_signature_counts_for_five_minutes_both_ways(away: int) -> None:
    assert verify(BODY, HEADER, [KEY], NOW + away) == KEY


@pytest.mark.parametrize("away", [300.5, 301, 1e9, -300.5, -301, -1e9])
def test_an_older_one_or_one_from_the_future_has_expired(away: float) -> None:
    with pytest.raises(SignatureRefused, match="s ago, and 300 s" if away > 0 else "[0-9] s from now by this machine's clock, and 300 s"):
        verify(BODY, HEADER, [KEY], NOW + away)


# The header.


@pytest.mark.parametrize("header", [None, ""])
def test_a_request_without_a_signature_is_refused(header: str | None) -> None:
    with pytest.raises(SignatureRefused, match="has no signature"):
        verify(BODY, header, [KEY], NOW)


@pytest.mark.parametrize(
    "header",
    [
        "t=&s=",
        f"s={MAC}",
        "t=1687306735",
        f"t=0x6491e9af&s={MAC}",
        f"t=-1687306735&s={MAC}",
        f"t=1687306735.0&s={MAC}",
        f"t=1.687306735e9&s={MAC}",
        f"t=١٦٨٧٣٠٦٧٣٥&s={MAC}",
        f"t={'9' * 5000}&s={MAC}",
        f"t=1687306735&s={MAC[:-1]}",
        f"t=1687306735&s={MAC}0",
        f"t=1687306735&s={MAC.upper()}",
        f"t=1687306735&s={'é' * 64}",
        f"t=1687306735&s={MAC}\n",
        f"t=1687306735&t=1687306735&s={MAC}",
        f"t=1687306735&s={MAC}&s={'0' * 64}",
        "garbage",
        "&&&===",
        "\x00\ud800",
    ],
)
def test_what_is_no_signature_header_is_refused(header: str) -> None:
    with pytest.raises(SignatureRefused, match="signature header"):
        verify(BODY, header, [KEY], NOW)


@given(st.text(), st.binary(max_size=64))
def test_no_header_and_no_body_raise_anything_else(header: str, body: bytes) -> None:
    with pytest.raises(SignatureRefused):
        verify(body, header, [KEY], NOW)


# Bodies written anew, and forgeries.

# Every number that orjson reads without losing digits, every string, some keys beyond the BMP (UTF-16 sorts them otherwise than UTF-8).
_NAMES = st.text(max_size=4) | st.sampled_from(["a", "b", "\U0001f600", "\ufffd", "\ue000"])
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_the_canonical_form_is_that_of_rfc_8785(value: Any) -> None:
    assert canonical(orjson.dumps(value)) == jcs.canonicalize(value)


def test_the_canonical_form_agrees_with_the_examples_of_rfc_8785() -> None:
    # Section 3.2.2 and 3.2.3 of the RFC.
    body = rb'{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}'
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(body) == expected.encode()
    keys = r'{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}'
    written = canonical(keys.encode())
    assert written is not None
    assert list(json.loads(written).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_as_ecmascript_does(value: float) -> None:
    assert canonical(repr(value).encode()) == jcs.canonicalize(value)


def test_escapes_that_a_proxy_wrote_otherwise_do_not_matter() -> None:
    """Behaviour E03."""
    key = "signkey-prod-000000"
    header = sign(b'{"msg":"a & b"}', key, NOW)
    assert verify(rb'{"msg":"a \u0026 b"}', header, [key], NOW) == key
    assert verify(b'{ "msg" :\n"a & b" }', header, [key], NOW) == key


@given(_JSON.filter(lambda value: not isinstance(value, str)), st.integers(0, 3), st.booleans())
def test_a_body_written_anew_is_verified_by_its_canonical_form(value: Any, indent: int, ascii_only: bool) -> None:
    header = sign(jcs.canonicalize(value), KEY, NOW)
    assert verify(json.dumps(value, indent=indent or None, ensure_ascii=ascii_only).encode(), header, [KEY], NOW) == KEY


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data(), _JSON)
def test_a_body_with_any_byte_changed_is_refused_unless_it_reads_the_same(data: st.DataObject, value: Any) -> None:
    """Whatever is accepted is read as what was signed: equal, with the same types but for 2.0 and 2."""
    signed = jcs.canonicalize({"events": value})
    header = sign(signed, KEY, NOW)
    forged = bytearray(signed)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(forged)))
        change = data.draw(st.sampled_from(["set", "insert", "delete"]))
        byte = data.draw(st.sampled_from([*b'0123456789.eE-+"\\,:{}[] \n\xc3\xa9nut', 0, 255]))
        if change == "insert":
            forged.insert(at, byte)
        elif at < len(forged):
            forged[at : at + 1] = b"" if change == "delete" else bytes([byte])
    assume(bytes(forged) != signed)
    try:
        verify(bytes(forged), header, [KEY], NOW)
    except SignatureRefused:
        return
    assert _typed(orjson.loads(forged)) == _typed(orjson.loads(signed))


def _typed(value: Any) -> Any:
    """Make True differ from 1, and nothing else that JSON cannot tell apart."""
    if isinstance(value, bool) or value is None:
        return (type(value), value)
    if isinstance(value, dict):
        return {name: _typed(one) for name, one in value.items()}
    return [_typed(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("signed", "forged"),
    [
        (b'{"n":9007199254740992}', b'{"n":9007199254740993}'),  # one number to JCS, two to Python
        (b'{"n":18446744073709552000}', b'{"n":18446744073709551615}'),
        (b'{"n":-9007199254740992}', b'{"n":-9007199254740993}'),
        (b'{"a":1}', b'{"a":1,"a":2}'),
        (b'{"a":1}', b'{"a":1}{"a":1}'),
        (b'{"a":1}', b'\xef\xbb\xbf{"a":1}'),
        (b'{"a":"x"}', b'{"a":"x\\u0000"}'),
        (b'{"a":true}', b'{"a":1}'),
        (b'{"a":null}', b'{"a":NaN}'),
        (b"", b"null"),
        (b"", b" "),
        (b'"x"', b"x"),
    ],
)
def test_forgeries_that_a_lax_canonical_form_would_let_pass(signed: bytes, forged: bytes) -> None:
    with pytest.raises(SignatureRefused):
        verify(forged, sign(signed, KEY, NOW), [KEY], NOW)


def test_of_a_key_that_is_there_twice_the_one_that_is_read_was_signed() -> None:
    header = sign(b'{"a":1}', KEY, NOW)
    twice = b'{"a":2,"a":1}'
    assert verify(twice, header, [KEY], NOW) == KEY
    assert orjson.loads(twice) == {"a": 1}


@pytest.mark.parametrize("fallback", [False, True])
def test_a_body_whose_bytes_were_signed_is_never_written_anew(monkeypatch: pytest.MonkeyPatch, fallback: bool) -> None:
    """The server's bytes are canonical (C01): 1,000 recorded steps then cost one HMAC, 0.1 ms, where their canonical form would cost 10."""
    monkeypatch.setattr(signature, "canonical", lambda _body: pytest.fail("the canonical form was made"))
    assert verify(BODY, HEADER, ["fake", KEY] if fallback else [KEY, "fake"], NOW) == KEY
    sign(BODY, KEY, NOW)


def test_a_large_body_must_have_the_bytes_that_were_signed() -> None:
    """Anybody may send one with a wrong signature: it must not cost a second."""
    body = b'{"a":"' + b"x" * 1024 * 1024 + b'"}'
    header = sign(body, KEY, NOW)
    assert verify(body, header, [KEY], NOW) == KEY
    with pytest.raises(SignatureRefused, match="more than 1,048,576 bytes must have the bytes that were signed"):
        verify(body + b" ", header, [KEY], NOW)
    smaller = b'{"a":"' + b"x" * 1000 * 1024 + b'"}'
    assert verify(smaller + b" ", sign(smaller, KEY, NOW), [KEY], NOW) == KEY


@pytest.mark.parametrize("depth", [10, 253, 254, 255, 400, 1024, 1025, 100_000])
def test_a_deep_body_is_verified_or_refused_and_never_a_crash(depth: int) -> None:
    body = b"[" * depth + b"]" * depth
    assert verify(body, sign(body, KEY, NOW), [KEY], NOW) == KEY
    with pytest.raises(SignatureRefused):
        verify(body + b" x", sign(body, KEY, NOW), [KEY], NOW)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_canonical_form_or_none(body: bytes) -> None:
    written = canonical(body)
    assert written is None or canonical(written) == written
