"""AWS in front of a Lambda function, played: HTTP requests become events and what the handler returns becomes answers.

The events have the fields that AWS documents: API Gateway's REST APIs (payload format 1.0), its HTTP APIs and function URLs (2.0).
"""

import asyncio
import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl

from inngest_gen.serving.wsgi import Environ, StartResponse, headers_of, status_line

Event = dict[str, Any]
MakeEvent = Callable[[Environ, dict[str, str], bytes], Event]
"""From a request, its headers and its body."""


class Lambda:
    """A WSGI application. Its server must have one thread: an instance of a Lambda function has one request at a time.

    `make` makes the function's handler; as in Lambda, that is done once, where it will run.
    """

    def __init__(self, make: Callable[[], Callable[[Event, Any], Any]], event: MakeEvent) -> None:
        self._make = make
        self._event = event
        self._handler: Callable[[Event, Any], Any] | None = None
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        """End the instance."""
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        if self._handler is None:
            asyncio.set_event_loop(self._loop)
            self._handler = self._make()
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = headers_of(environ) | {"x-forwarded-proto": environ["wsgi.url_scheme"], "x-forwarded-port": environ["SERVER_PORT"]}
        answer = self._handler(self._event(environ, headers, body), None)
        told = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
        start_response(status_line(answer["statusCode"]), [*answer["headers"].items()])
        return [told]


def rest_api(environ: Environ, headers: dict[str, str], body: bytes) -> Event:
    """Payload format 1.0. The stage is in the URL, but not in the event's path."""
    query = environ["QUERY_STRING"]
    return {
        "resource": "/{proxy+}",
        "path": environ["PATH_INFO"],
        "httpMethod": environ["REQUEST_METHOD"],
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(parse_qsl(query, keep_blank_values=True)) or None,
        "multiValueQueryStringParameters": parse_qs(query, keep_blank_values=True) or None,
        "pathParameters": {"proxy": environ["PATH_INFO"][1:]},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012", "resourceId": "123456", "stage": "prod", "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "127.0.0.1", "userAgent": headers.get("user-agent")}, "resourcePath": "/{proxy+}",
            "httpMethod": environ["REQUEST_METHOD"], "apiId": "1234567890", "path": f"/prod{environ['PATH_INFO']}", "protocol": "HTTP/1.1",
        },
        **packed(body, headers),
    }  # fmt: skip


def http_api(environ: Environ, headers: dict[str, str], body: bytes) -> Event:
    """Payload format 2.0, as HTTP APIs and function URLs have it."""
    path = environ["PATH_INFO"]
    query = environ["QUERY_STRING"]
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        **({"queryStringParameters": dict(parse_qsl(query, keep_blank_values=True))} if query else {}),
        "requestContext": {
            "accountId": "anonymous", "apiId": "abc", "domainName": "abc.lambda-url.eu-central-1.on.aws", "domainPrefix": "abc",
            "http": {
                "method": environ["REQUEST_METHOD"], "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": "id", "routeKey": "$default", "stage": "$default", "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1583348638390,
        },
        **packed(body, headers),
    }  # fmt: skip


def binary(event: MakeEvent) -> MakeEvent:
    """Let every body be in Base64, as an API does that is set to take binary ones."""

    def made(environ: Environ, headers: dict[str, str], body: bytes) -> Event:
        return event(environ, headers, body) | {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}

    return made


def packed(body: bytes, headers: dict[str, str]) -> Event:
    if not body:
        return {"body": None, "isBase64Encoded": False}
    if "content-encoding" in headers or not body.isascii():
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return {"body": body.decode(), "isBase64Encoded": False}
