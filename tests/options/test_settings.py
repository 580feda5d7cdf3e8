"""Settings come of arguments, variables and defaults, in that order, and say which of them is wrong."""

import os
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.options.settings import Limits, Settings


def resolve(arguments: dict[str, Any] | None = None, /, **environ: str) -> Settings:
    return Settings.resolve(**(arguments or {}), environ=environ)


CLOUD = ("cloud", "https://api.inngest.com", "https://inn.gs")
DEV = ("dev", "http://localhost:8288", "http://localhost:8288")


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        ({}, {}, CLOUD),
        ({"dev": True}, {}, DEV),
        ({"dev": False}, {}, CLOUD),
        ({"dev": "http://dev:1"}, {}, ("dev", "http://dev:1", "http://dev:1")),
        ({"dev": "dev:1"}, {}, ("dev", "http://dev:1", "http://dev:1")),
        ({"dev": "1"}, {}, DEV),
        ({"dev": "false"}, {}, CLOUD),
        ({"dev": ""}, {"INNGEST_DEV": "1"}, DEV),
        ({}, {"INNGEST_DEV": "1"}, DEV),
        ({}, {"INNGEST_DEV": "TRUE"}, DEV),
        ({}, {"INNGEST_DEV": "0"}, CLOUD),
        ({}, {"INNGEST_DEV": "false"}, CLOUD),
        ({}, {"INNGEST_DEV": ""}, CLOUD),
        ({}, {"INNGEST_DEV": "  "}, CLOUD),
        ({}, {"INNGEST_DEV": "http://dev:1/"}, ("dev", "http://dev:1", "http://dev:1")),
        ({}, {"INNGEST_DEV": "dev:1"}, ("dev", "http://dev:1", "http://dev:1")),
        ({}, {"INNGEST_DEV": "localhost"}, ("dev", "http://localhost", "http://localhost")),
        ({"dev": False}, {"INNGEST_DEV": "1"}, CLOUD),
        ({"dev": False}, {"INNGEST_DEV": "http://dev:1"}, CLOUD),
        ({"dev": False}, {"INNGEST_DEV": "yes"}, CLOUD),
        ({"dev": True}, {"INNGEST_DEV": "0"}, DEV),
        ({"dev": True}, {"INNGEST_DEV": "http://dev:1"}, ("dev", "http://dev:1", "http://dev:1")),
        ({"base_url": "https://own/"}, {}, ("cloud", "https://own", "https://own")),
        ({"base_url": "https://own/inngest/"}, {}, ("cloud", "https://own/inngest", "https://own/inngest")),
        ({"base_url": ""}, {}, CLOUD),
        ({"base_url": "https://own", "dev": "http://dev:1"}, {}, ("dev", "https://own", "https://own")),
        ({}, {"INNGEST_BASE_URL": "https://own"}, ("cloud", "https://own", "https://own")),
        ({}, {"INNGEST_BASE_URL": "https://own", "INNGEST_DEV": "http://dev:1"}, ("dev", "https://own", "https://own")),
        ({"dev": "http://dev:1"}, {"INNGEST_BASE_URL": "https://own"}, ("dev", "http://dev:1", "http://dev:1")),
        ({}, {"INNGEST_API_BASE_URL": "https://api"}, ("cloud", "https://api", "https://inn.gs")),
        ({}, {"INNGEST_EVENT_API_BASE_URL": "https://ev"}, ("cloud", "https://api.inngest.com", "https://ev")),
        ({}, {"INNGEST_EVENT_API_BASE_URL": "https://ev", "INNGEST_BASE_URL": "own:8"}, ("cloud", "http://own:8", "https://ev")),
        ({"base_url": "https://own"}, {"INNGEST_EVENT_API_BASE_URL": "https://ev"}, ("cloud", "https://own", "https://own")),
    ],
)
def test_mode_and_urls(arguments: dict[str, Any], environ: dict[str, str], expected: tuple[str, str, str]) -> None:
    settings = resolve(arguments, **environ)
    assert (settings.mode, settings.api_url, settings.event_url) == expected


@pytest.mark.parametrize(
    ("attribute", "variable"),
    [
        ("event_key", "INNGEST_EVENT_KEY"),
        ("signing_key", "INNGEST_SIGNING_KEY"),
        ("signing_key_fallback", "INNGEST_SIGNING_KEY_FALLBACK"),
        ("env", "INNGEST_ENV"),
    ],
)
def test_a_text_comes_from_its_argument_else_from_its_variable(attribute: str, variable: str) -> None:
    assert getattr(resolve(), attribute) is None
    assert getattr(resolve(**{variable: " k1\n"}), attribute) == "k1"
    assert getattr(resolve({attribute: "k2"}, **{variable: "k1"}), attribute) == "k2"
    assert getattr(resolve({attribute: ""}, **{variable: "k1"}), attribute) == "k1"


@pytest.mark.parametrize(
    ("environ", "env", "platform"),
    [
        ({"VERCEL": "1", "VERCEL_GIT_COMMIT_REF": "b"}, "b", "vercel"),
        ({"NETLIFY": "true", "BRANCH": "b"}, "b", "netlify"),
        ({"BRANCH": "b"}, None, None),
        ({"CF_PAGES": "1", "CF_PAGES_BRANCH": "b"}, "b", "cloudflare-pages"),
        ({"RENDER": "true", "RENDER_GIT_BRANCH": "b"}, "b", "render"),
        ({"RAILWAY_ENVIRONMENT": "production", "RAILWAY_GIT_BRANCH": "b"}, "b", "railway"),
        ({"VERCEL": "0"}, None, None),
        ({"INNGEST_ENV": "mine", "VERCEL_GIT_COMMIT_REF": "b"}, "mine", None),
    ],
)
def test_the_host_is_known_by_its_variables(environ: dict[str, str], env: str | None, platform: str | None) -> None:
    settings = resolve(**environ)
    assert (settings.env, settings.platform) == (env, platform)


@pytest.mark.parametrize(
    ("attribute", "variable"),
    [
        ("in_band_sync", "INNGEST_ALLOW_IN_BAND_SYNC"),
        ("unauthed_sync", "INNGEST_ENABLE_UNAUTHED_SYNC"),
        ("session_propagation", "INNGEST_SESSION_PROPAGATION"),
    ],
)
def test_a_switch_is_on_unless_its_variable_says_otherwise(attribute: str, variable: str) -> None:
    told = {value: getattr(resolve(**{variable: value}), attribute) for value in ("", "1", "true", "TRUE", "0", "false", "False")}
    assert told == {"": True, "1": True, "true": True, "TRUE": True, "0": False, "false": False, "False": False}
    with pytest.raises(ig.ConfigError, match=f"{variable} is 1, 0, true or false, not 'no'"):
        resolve(**{variable: "no"})


def test_the_argument_for_session_propagation_wins() -> None:
    assert resolve({"session_propagation": True}, INNGEST_SESSION_PROPAGATION="0").session_propagation
    assert not resolve({"session_propagation": False}, INNGEST_SESSION_PROPAGATION="1").session_propagation


@pytest.mark.parametrize(
    ("environ", "origin", "path"),
    [
        ({"INNGEST_SERVE_ORIGIN": "https://shop.example/"}, "https://shop.example", None),
        ({"INNGEST_SERVE_ORIGIN": "shop.example:8443"}, "https://shop.example:8443", None),
        ({"INNGEST_SERVE_HOST": "http://old"}, "http://old", None),
        ({"INNGEST_SERVE_HOST": "http://old", "INNGEST_SERVE_ORIGIN": "http://new"}, "http://new", None),
        ({"INNGEST_SERVE_PATH": "api/ig"}, None, "/api/ig"),
        ({"INNGEST_SERVE_PATH": "/api/ig"}, None, "/api/ig"),
    ],
)
def test_the_apps_own_url_can_be_set(environ: dict[str, str], origin: str | None, path: str | None) -> None:
    settings = resolve(**environ)
    assert (settings.serve_origin, settings.serve_path) == (origin, path)


@pytest.mark.parametrize(
    ("arguments", "environ", "sentence"),
    [
        ({}, {"INNGEST_DEV": "yes"}, "INNGEST_DEV is 1, 0, true, false or a dev server's URL such as http://localhost:8288, not 'yes'"),
        ({}, {"INNGEST_DEV": "2"}, "INNGEST_DEV is 1, 0, true, false or a dev server's URL"),
        ({"base_url": "http:/host"}, {}, "base_url is a URL such as"),
        ({}, {"INNGEST_DEV": "ftp://dev"}, "INNGEST_DEV is a URL such as http://localhost:8288, not 'ftp://dev'"),
        ({"dev": 1}, {}, "dev is True, False or a dev server's URL, not 1"),
        ({"base_url": "http://"}, {}, "base_url is a URL such as"),
        ({"base_url": "http://host:port"}, {}, "base_url is a URL such as"),
        ({"base_url": "http://my host"}, {}, "base_url is a URL such as"),
        ({"base_url": "http://host?x=1"}, {}, "base_url is a server's URL, without . and #"),
        ({"base_url": 8288}, {}, "base_url is a string, not int"),
        ({}, {"INNGEST_API_BASE_URL": "http://[::1"}, "INNGEST_API_BASE_URL is a URL such as"),
        (
            {},
            {"INNGEST_SERVE_ORIGIN": "https://host/api"},
            "INNGEST_SERVE_ORIGIN is an origin such as https://shop.example.com, without a path",
        ),
        ({}, {"INNGEST_SERVE_PATH": "https://host/api"}, "INNGEST_SERVE_PATH is a path such as /api/inngest"),
        ({}, {"INNGEST_LOG_LEVEL": "loud"}, "INNGEST_LOG_LEVEL is one of critical, debug,"),
        ({"signing_key": b"signkey-prod-00"}, {}, "signing_key is a string, not bytes"),
        ({"app_version": 2}, {}, "app_version is a string, not int"),
        ({"session_propagation": "no"}, {}, "session_propagation is True or False, not 'no'"),
        ({"limits": 5}, {}, r"limits takes ig.Limits\(...\), not 5"),
    ],
)
def test_what_means_nothing_is_refused_by_its_name(arguments: dict[str, Any], environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(ig.ConfigError, match=sentence):
        resolve(arguments, **environ)


def test_keys_are_in_no_message_and_no_repr() -> None:
    with pytest.raises(ig.ConfigError, match="INNGEST_SIGNING_KEY contains a line break") as caught:
        resolve(INNGEST_SIGNING_KEY="signkey-prod-5ecret\nmore")
    assert "5ecret" not in str(caught.value)
    settings = resolve({"event_key": "5ecret", "signing_key": "5ecret", "signing_key_fallback": "5ecret"})
    assert "5ecret" not in repr(settings)


@pytest.mark.parametrize(("given", "level"), [("debug", "DEBUG"), ("WARN", "WARNING"), ("fatal", "CRITICAL"), ("silent", "CRITICAL")])
def test_the_log_level_may_have_the_name_it_has_elsewhere(given: str, level: str) -> None:
    assert resolve(INNGEST_LOG_LEVEL=given).log_level == level


@pytest.mark.parametrize(
    "limits",
    [
        {"request_bytes": 0},
        {"reply_bytes": "8"},
        {"reply_bytes": True},
        {"reply_timeout": 0},
        {"connect_timeout": "soon"},
        {"request_timeout": -1},
    ],
)
def test_limits_are_checked(limits: dict[str, Any]) -> None:
    with pytest.raises(ig.ConfigError, match=f"Limits.{next(iter(limits))}"):
        Limits(**limits)


def test_settings_that_are_made_by_hand_are_checked() -> None:
    with pytest.raises(ig.ConfigError, match="api_url is a URL with"):
        Settings(api_url="http://a/")
    with pytest.raises(ig.ConfigError, match='the mode is "dev" or "cloud"'):
        Settings(mode="prod")


def test_an_app_reads_the_environment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INNGEST_DEV", "http://dev:1")
    app = ig.App("shop", event_key="k", app_version="v7", limits=Limits(reply_bytes=5))
    monkeypatch.setitem(os.environ, "INNGEST_DEV", "0")
    assert app.settings == Settings(
        mode="dev", api_url="http://dev:1", event_url="http://dev:1", event_key="k", app_version="v7", limits=Limits(reply_bytes=5)
    )
