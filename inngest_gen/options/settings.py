"""Settings: where the Inngest server is, with what keys, and what this app allows.

Promises: an argument wins over an environment variable, a variable over a default; a value that means nothing is refused with the name of the
argument or variable that holds it. No key is ever in a `repr` or a message.
Refuses: to guess the mode: it is "cloud", where signatures are checked, unless dev mode is asked for.

The variables and their precedence are those of Inngest's SDKs (server: docs/SDK_SPEC.md section 3; inngest-js: src/helpers/env.ts and
src/components/Inngest.ts).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from inngest_gen.durations import Duration, seconds
from inngest_gen.errors import ConfigError

__all__ = ["Limits", "Mode", "Settings"]

Mode: TypeAlias = Literal["dev", "cloud"]

MIB: Final = 1024 * 1024
CLOUD_API: Final = "https://api.inngest.com"
CLOUD_EVENTS: Final = "https://inn.gs"
DEV_SERVER: Final = "http://localhost:8288"

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_NO_HOSTS: Final = {
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "t",
    "f",
    "none",
    "null",
}  # no booleans in Inngest's SDKs; there they would be hosts
_AN_ORIGIN: Final = "https://shop.example.com"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")
_LEVELS: Final = {
    "critical": "CRITICAL", "fatal": "CRITICAL", "silent": "CRITICAL", "error": "ERROR", "warning": "WARNING", "warn": "WARNING",
    "info": "INFO", "debug": "DEBUG",
}  # fmt: skip
_BRANCHES: Final = ("VERCEL_GIT_COMMIT_REF", "BRANCH", "CF_PAGES_BRANCH", "RENDER_GIT_BRANCH", "RAILWAY_GIT_BRANCH")
_PLATFORMS: Final = {
    "VERCEL": ("1", "vercel"),
    "NETLIFY": ("true", "netlify"),
    "CF_PAGES": ("1", "cloudflare-pages"),
    "RENDER": ("true", "render"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is read from others, and how long they are waited for.

    `request_bytes`: of a request to the app, after decompression; `request_timeout`: until all of it has come. `reply_bytes`: of a reply of the
    server's API; `reply_timeout`: until all of that has come; `connect_timeout`: until there is a connection. Raises ConfigError for a size below
    1 and for a timeout of 0.
    """

    request_bytes: int = 8 * MIB
    request_timeout: Duration = "30s"
    reply_bytes: int = 40 * MIB
    reply_timeout: Duration = "30s"
    connect_timeout: Duration = "10s"

    def __post_init__(self) -> None:
        for name, size in (("request_bytes", self.request_bytes), ("reply_bytes", self.reply_bytes)):
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ConfigError(f"Limits.{name} is a whole number of bytes, at least 1, not {size!r}")
        for name in ("request_timeout", "reply_timeout", "connect_timeout"):
            try:
                long_enough = seconds(getattr(self, name)) > 0
            except (TypeError, ValueError) as error:
                raise ConfigError(f"Limits.{name}: {error}") from None
            if not long_enough:
                raise ConfigError(f"Limits.{name} must be longer than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an app knows of its Inngest server: `app.settings`, made by `Settings.resolve`.

    `mode` is "cloud" (signatures are checked) or "dev". `api_url` and `event_url` have no slash at their end. `env` names the branch environment,
    `platform` the host ("vercel", ...). `serve_origin` and `serve_path` stand for what a request says of the app's own URL. `in_band_sync` allows
    to register in the reply to the server's request, `unauthed_sync` takes unsigned requests to register. `session_propagation` hands a run's
    sessions on. `log_level` is the name of one of logging's levels, or None.
    """

    mode: Mode = "cloud"
    api_url: str = CLOUD_API
    event_url: str = CLOUD_EVENTS
    event_key: str | None = field(default=None, repr=False)
    signing_key: str | None = field(default=None, repr=False)
    signing_key_fallback: str | None = field(default=None, repr=False)
    env: str | None = None
    platform: str | None = None
    serve_origin: str | None = None
    serve_path: str | None = None
    in_band_sync: bool = True
    unauthed_sync: bool = True
    session_propagation: bool = True
    app_version: str | None = None
    log_level: str | None = None
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if self.mode not in {"dev", "cloud"}:
            raise ConfigError(f'the mode is "dev" or "cloud", not {self.mode!r}')
        for name, url in (("api_url", self.api_url), ("event_url", self.event_url)):
            if _checked_url(url, name) != url:
                raise ConfigError(f"{name} is a URL with http:// or https://, without a slash at its end, not {url!r}")

    @classmethod
    def resolve(
        cls,
        *,
        dev: bool | str | None = None,
        base_url: str | None = None,
        event_key: str | None = None,
        signing_key: str | None = None,
        signing_key_fallback: str | None = None,
        env: str | None = None,
        app_version: str | None = None,
        session_propagation: bool | None = None,
        limits: Limits | None = None,
        environ: Mapping[str, str],
    ) -> Settings:
        """Make settings of an app's arguments and of environment variables.

        `dev` is True, False, or a dev server's URL; `base_url` is the URL of the server for its API and for events. None and empty strings are
        not given. Raises ConfigError.
        """
        found = _Variables(environ)
        mode, asked, fallback = _server(dev, found)
        server = _url(base_url, "base_url") or asked
        base = None if server else found.url("INNGEST_BASE_URL")
        return cls(
            mode=mode,
            api_url=server or found.url("INNGEST_API_BASE_URL") or base or fallback or CLOUD_API,
            event_url=server or found.url("INNGEST_EVENT_API_BASE_URL") or base or fallback or CLOUD_EVENTS,
            event_key=_text(event_key, "event_key") or found.text("INNGEST_EVENT_KEY"),
            signing_key=_text(signing_key, "signing_key") or found.text("INNGEST_SIGNING_KEY"),
            signing_key_fallback=_text(signing_key_fallback, "signing_key_fallback") or found.text("INNGEST_SIGNING_KEY_FALLBACK"),
            env=_text(env, "env") or found.branch(),
            platform=found.platform(),
            serve_origin=found.origin("INNGEST_SERVE_ORIGIN") or found.origin("INNGEST_SERVE_HOST"),
            serve_path=_path(found.text("INNGEST_SERVE_PATH"), "INNGEST_SERVE_PATH"),
            in_band_sync=found.flag("INNGEST_ALLOW_IN_BAND_SYNC", default=True),
            unauthed_sync=found.flag("INNGEST_ENABLE_UNAUTHED_SYNC", default=True),
            session_propagation=_flag(session_propagation, "session_propagation", found, "INNGEST_SESSION_PROPAGATION"),
            app_version=_text(app_version, "app_version"),
            log_level=found.level("INNGEST_LOG_LEVEL"),
            limits=_limits(limits),
        )


def _server(dev: object, found: _Variables) -> tuple[Mode, str | None, str | None]:
    """Give the mode, the dev server's URL if the argument names one, and else the URL of dev mode."""
    if isinstance(dev, str) and dev.strip():
        flag, asked = _flag_or_url(dev, "dev")
        if flag is None:
            return "dev", asked, None
        dev = flag
    elif dev is not None and dev != "" and not isinstance(dev, bool):
        raise ConfigError(f"dev is True, False or a dev server's URL, not {dev!r}")
    if dev is False:
        return "cloud", None, None
    variable = found.text("INNGEST_DEV")
    flag, url = _flag_or_url(variable, "INNGEST_DEV") if variable else (None, None)
    if dev is True or flag or url:
        return "dev", None, url or DEV_SERVER
    return "cloud", None, None


def _flag_or_url(text: str, source: str) -> tuple[bool | None, str | None]:
    text = text.strip()
    flag = _BOOLEANS.get(text.lower())
    if flag is not None:
        return flag, None
    if text.lower() in _NO_HOSTS or text.isdecimal():
        raise ConfigError(f"{source} is 1, 0, true, false or a dev server's URL such as {DEV_SERVER}, not {text!r}")
    return None, _url(text, source)


class _Variables:
    """Environment variables: what is empty or blank is not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str | None:
        return _text(self._environ.get(name), name)

    def url(self, name: str) -> str | None:
        return _url(self.text(name), name)

    def origin(self, name: str) -> str | None:
        return checked_origin(self.text(name), name)

    def flag(self, name: str, *, default: bool) -> bool:
        text = self.text(name)
        if text is None:
            return default
        if text.lower() not in _BOOLEANS:
            raise ConfigError(f"{name} is 1, 0, true or false, not {text!r}")
        return _BOOLEANS[text.lower()]

    def branch(self) -> str | None:
        """Give the branch environment's name: Inngest's own variable, else the first branch that a host names."""
        if (env := self.text("INNGEST_ENV")) is not None:
            return env
        for name in _BRANCHES:
            # Too common a name to be read where Netlify did not set it.
            if (name != "BRANCH" or self.text("NETLIFY")) and (branch := self.text(name)) is not None:
                return branch
        return None

    def platform(self) -> str | None:
        for name, (value, platform) in _PLATFORMS.items():
            if self.text(name) == value:
                return platform
        return "railway" if self.text("RAILWAY_ENVIRONMENT") else None

    def level(self, name: str) -> str | None:
        text = self.text(name)
        if text is None:
            return None
        level = _LEVELS.get(text.lower())
        if level is None:
            raise ConfigError(f"{name} is one of {', '.join(sorted(_LEVELS))}, not {text!r}")
        return level


def _text(value: object, source: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigError(f"{source} is a string, not {type(value).__name__}")
    stripped = value.strip()
    if _UNPRINTABLE.search(stripped):
        raise ConfigError(f"{source} contains a line break or another control character")  # not its value: it may be a key
    return stripped or None


def _url(value: object, source: str) -> str | None:
    text = _text(value, source)
    return None if text is None else _checked_url(text if _SCHEME.match(text) else f"http://{text}", source)


def _checked_url(text: str, source: str, example: str = DEV_SERVER) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and " " not in text and parts.netloc[-1] != ":"
    except ValueError:  # a port that is no number, brackets that do not close
        sound = parts = None
    if not sound or parts is None:
        raise ConfigError(f"{source} is a URL such as {example}, not {text!r}")
    if parts.query or parts.fragment:
        raise ConfigError(f"{source} is a server's URL, without ? and #: {text!r}")
    return text.rstrip("/")


def checked_origin(value: object, source: str) -> str | None:
    """Give an origin with its scheme, https where it has none; None where nothing is said. `source` is how errors name it. Raises ConfigError."""
    text = _text(value, source)
    if text is None:
        return None
    url = _checked_url(text if _SCHEME.match(text) else f"https://{text}", source, _AN_ORIGIN)
    if urlsplit(url).path:
        raise ConfigError(f"{source} is an origin such as {_AN_ORIGIN}, without a path: {text!r}")
    return url


def _path(text: str | None, source: str) -> str | None:
    if text is None:
        return None
    if "?" in text or "#" in text or _SCHEME.match(text):
        raise ConfigError(f"{source} is a path such as /api/inngest, not {text!r}")
    return text if text.startswith("/") else f"/{text}"


def _flag(value: object, source: str, found: _Variables, variable: str) -> bool:
    if value is None:
        return found.flag(variable, default=True)
    if not isinstance(value, bool):
        raise ConfigError(f"{source} is True or False, not {value!r}")
    return value


def _limits(value: object) -> Limits:
    if value is None:
        return Limits()
    if not isinstance(value, Limits):
        raise ConfigError(f"limits takes ig.Limits(...), not {value!r}")
    return value
