"""Steps that are an HTTP request: `ctx.step.fetch` and `ctx.step.ai.infer`.

On an Inngest server the server makes the request, so that no process of the user's waits for it; the embedded engine makes it itself. Both record
the same result. Promises: whatever status answers `fetch` is a result; a request that gets no answer, and an inference that is not answered with
2xx, is tried again as the function's `retries` say and then fails the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit

from inngest_gen import jsonvalue
from inngest_gen.errors import ConfigError, MisuseError
from inngest_gen.intents.step import Step

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What answered a `step.fetch`: `status`, `headers` (several of one name joined by commas), `body` as text, and the `url` that was asked."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    url: str = ""

    def json(self) -> Any:
        """Parse the body. Raises ValueError if it is no JSON."""
        return jsonvalue.decode(self.body)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Response:
        """Read the recorded result (server: pkg/util/gateway Response)."""
        return cls(
            status=int(value.get("status_code") or 0),
            headers=dict(value.get("headers") or {}),
            body=str(value.get("body") or ""),
            url=str(value.get("url") or ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request as a value: what a step asks for."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str | None


class Fetch(Step[Response]):
    """Make an HTTP request; the result is a Response. Made by `ctx.step.fetch`. `body` is text."""

    __slots__ = ("body", "headers", "method", "url")
    kind = "step.fetch"

    def __init__(self, id: str, name: str, url: str, method: str, headers: Mapping[str, str], body: str | None) -> None:
        self.id: str = id
        self.name: str = name
        self.url: str = url
        self.method: str = method
        self.headers: Mapping[str, str] = headers
        self.body: str | None = body
        self.hash: str | None = None

    def options(self) -> dict[str, Any]:
        """Give the method and the URL, without user, password, query and fragment."""
        return {"method": self.method, "url": _bare(self.url)}

    def request(self) -> Request:
        """Give the request to make."""
        return Request(method=self.method, url=self.url, headers=self.headers, body=self.body)


@dataclass(frozen=True, slots=True)
class Model:
    """Where an inference goes: the `url` of an endpoint, its request `format`, its `auth_key`, `headers`, and what `body` each request has.

    `format` is "openai-chat" (Bearer token; any endpoint that speaks it), "anthropic" (x-api-key), "gemini" (key in the URL) or "bedrock" (the key
    is the whole Authorization header): it says how the key is sent (server: pkg/util/aigateway). Raises ConfigError for a URL that is none.
    """

    url: str
    format: str = "openai-chat"
    auth_key: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_url(self.url, ConfigError)

    @classmethod
    def openai(cls, model: str, api_key: str, *, base_url: str = "https://api.openai.com/v1") -> Model:
        """Name a chat model behind OpenAI's API or one that is compatible with it."""
        return cls(f"{base_url.rstrip('/')}/chat/completions", "openai-chat", api_key, {}, {"model": model})

    @classmethod
    def anthropic(
        cls, model: str, api_key: str, *, max_tokens: int, base_url: str = "https://api.anthropic.com/v1", version: str = "2023-06-01"
    ) -> Model:
        """Name a model behind Anthropic's messages API."""
        body = {"model": model, "max_tokens": max_tokens}
        return cls(f"{base_url.rstrip('/')}/messages", "anthropic", api_key, {"anthropic-version": version}, body)

    @classmethod
    def gemini(cls, model: str, api_key: str, *, base_url: str = "https://generativelanguage.googleapis.com/v1beta") -> Model:
        """Name a model behind Google's Gemini API."""
        return cls(f"{base_url.rstrip('/')}/models/{model}:generateContent", "gemini", api_key)


class AIInfer(Step[T], Generic[T]):
    """Ask a model; the result is the JSON of its answer. Made by `ctx.step.ai.infer`. `body` is the whole request body."""

    __slots__ = ("body", "model", "returns_type")
    kind = "step.ai.infer"

    def __init__(self, id: str, name: str, model: Model, body: Mapping[str, Any]) -> None:
        self.id: str = id
        self.name: str = name
        self.model: Model = model
        self.body: Mapping[str, Any] = {**model.body, **body}
        self.hash: str | None = None
        self.returns_type: Any = None

    def returns(self, type: type[S]) -> AIInfer[S]:
        """Say the result's type: the JSON is decoded into it. Returns this step."""
        self.returns_type = type
        return self  # type: ignore[return-value]

    def options(self) -> dict[str, Any]:
        """Give the endpoint, without user, password and query, its format, and the model where the body names one."""
        options: dict[str, Any] = {"url": _bare(self.model.url), "format": self.model.format}
        named = self.body.get("model")
        return {**options, "model": named} if isinstance(named, str) else options

    def request(self) -> Request:
        """Give the request to make, as the server makes it. Raises NotJSON if the body cannot become JSON."""
        model = self.model
        headers = {"content-type": "application/json"}
        url = model.url
        match model.format if model.auth_key else "":
            case "":  # a model at home needs no key
                pass
            case "gemini":
                parts = urlsplit(url)
                query = "&".join(filter(None, [parts.query, urlencode({"key": model.auth_key})]))
                url = urlunsplit(parts._replace(query=query))
            case "bedrock":
                headers["authorization"] = model.auth_key
            case "anthropic":
                headers["x-api-key"] = model.auth_key
            case _:
                headers["authorization"] = f"Bearer {model.auth_key}"
        headers.update(model.headers)
        body = jsonvalue.encode(self.body, f"the body of {self.kind} {self.id!r}").decode()
        return Request(method="POST", url=url, headers=headers, body=body)


def check_url(url: object, error: type[ConfigError | MisuseError]) -> None:
    """Raise `error` unless `url` is an absolute http or https URL."""
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.netloc:
        raise error(f"a URL here is absolute, such as 'https://example.com/path', not {url!r}")


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
