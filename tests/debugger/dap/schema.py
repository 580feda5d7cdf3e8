"""The Debug Adapter Protocol's own JSON schema, which comes with debugpy: what every message in these tests is held to.

The schema allows anything besides what it names; here a message has what it names and nothing else, but for arguments of launch and attach.
"""

import copy
import functools
import importlib.util
import json
import pathlib
from typing import Any

import jsonschema

_BASES = {"ProtocolMessage", "Request", "Event", "Response"}
_OPEN = {"LaunchRequestArguments", "AttachRequestArguments", "RestartArguments"}


@functools.cache
def _schema() -> dict[str, Any]:
    spec = importlib.util.find_spec("debugpy")
    assert spec is not None
    assert spec.origin is not None
    [path] = pathlib.Path(spec.origin).parent.rglob("debugProtocol.json")
    schema: dict[str, Any] = copy.deepcopy(json.loads(path.read_text()))
    for name, one in schema["definitions"].items():
        if name not in _BASES | _OPEN:
            _close(one)
    return schema


def _close(schema: dict[str, Any]) -> None:
    """Let nothing be there that is not named."""
    parts = schema.get("allOf", [schema])
    for part in parts:
        for inner in part.get("properties", {}).values():
            if inner.get("properties"):
                _close(inner)
    if "properties" in schema or "allOf" in schema:
        schema["unevaluatedProperties"] = False


@functools.cache
def _validator(name: str) -> Any:
    schema = {**_schema(), "$ref": f"#/definitions/{name}"}
    del schema["oneOf" if "oneOf" in schema else "type"]
    schema.pop("type", None)
    return jsonschema.Draft202012Validator(schema)


def name_of(message: dict[str, Any]) -> str:
    """The definition of a message."""
    if message["type"] == "event":
        return f"{_title(message['event'])}Event"
    if message["type"] == "response":
        return f"{_title(message['command'])}Response" if message["success"] else "ErrorResponse"
    return f"{_title(message['command'])}Request"


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


def check(message: dict[str, Any]) -> None:
    """Hold a message to the schema."""
    name = name_of(message)
    assert name in _schema()["definitions"], message
    errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in _validator(name).iter_errors(message)]
    assert errors == [], message
