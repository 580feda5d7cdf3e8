"""Typed values to JSON and back: the declared results of step functions, and schemas of deferred functions and events.

Promises: what `encode_result` lets pass reads back into the declared type, in this process and in the next one; what does not fit fails
there, with the place. Types that JSON has already (str, dict, list[int] ...) cost a look-up. Pydantic is imported at first need.
Refuses: to keep functions alive, or to trust an annotation that cannot be resolved (such a result stays plain JSON).
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import sys
import types
import typing
import weakref
from collections.abc import Callable, Container, Iterable
from functools import cache, lru_cache, partial
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import orjson

from inngest_gen.errors import NotJSON, SchemaError
from inngest_gen.jsonvalue import decode, encode

__all__ = ["Schema", "encode_result", "result_decoder", "type_decoder"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Codec:
    """How a type meets JSON. None stands for nothing to do."""

    name: str = ""
    decode: Callable[[Any], Any] | None = None  # a JSON value -> a value of the type
    fit: Callable[[Any], Any] | None = None  # a live value, such as a dict for a model -> a value of the type
    plain: Callable[[Any], Any] | None = None  # a value of the type -> what jsonvalue writes

    def dump(self, value: Any) -> Any:
        """Give what jsonvalue writes for a live value; raises what the type's library raises if it does not fit."""
        return self.plain(self.fit(value)) if self.plain and self.fit else value


_TRIVIAL: Final = _Codec()


def result_decoder(fn: Callable[..., Any]) -> Callable[[Any], Any] | None:
    """Give what turns the JSON result of `fn` into the return type it declares; None where JSON's own value is that already.

    `fn` is any callable: sync, async, a partial, a bound method, an object with `__call__`, a class. What is given raises, when it is
    called with a value that does not fit, whatever the type's library raises.
    """
    try:
        return _known[id(fn)].decode
    except KeyError:
        return _callable_codec(fn).decode


def type_decoder(tp: Any) -> Callable[[Any], Any] | None:
    """Give what turns a JSON value into `tp`, a type or a type expression; None where there is nothing to do. See `result_decoder`."""
    return _type_codec(tp).decode


def encode_result(fn_or_type: Any, value: object, what: str) -> bytes:
    """Write `value` as JSON in the way its declared type reads back: a function (its return type counts) or a type.

    `what` names the value in an error. Raises NotJSON for what is no JSON and for what does not fit the type.
    """
    codec = _known.get(id(fn_or_type)) or _callable_codec(fn_or_type)
    if codec.plain is None or codec.decode is None:
        return encode(value, what)
    try:
        data = encode(codec.dump(value), what)
        codec.decode(decode(data))
    except NotJSON:
        raise
    except Exception as error:
        misfits = _misfits(error, value)
        reason = f"it does not fit its declared type {codec.name}: {misfits[0].text}"
        if len(misfits) > 1:
            reason += f" (and {len(misfits) - 1} more)"
        raise NotJSON(what=what, path=misfits[0].path, type_name=type(misfits[0].value).__qualname__, reason=reason) from error
    return data


# --- from a callable to its return type

# By id, with a weak reference that removes the entry: a step function made inside a handler holds the handler's variables, so it must
# not be kept; a WeakKeyDictionary takes three times as long; and neither code objects (shared by all that one decorator wraps) nor names
# (the same after a reload) tell two functions with different annotations apart.
_known: Final[dict[int, _Codec]] = {}
_references: Final[dict[int, weakref.ref[Callable[..., Any]]]] = {}


def _remember(fn: Callable[..., Any], codec: _Codec) -> None:
    key = id(fn)

    def forget(_: object) -> None:
        _known.pop(key, None)
        _references.pop(key, None)

    _references[key] = weakref.ref(fn, forget)
    _known[key] = codec


def _callable_codec(fn: Any) -> _Codec:
    if isinstance(fn, types.FunctionType):
        codec = _known.get(id(fn))
        if codec is None:
            codec = _type_codec(_return_type(fn))
            _remember(fn, codec)
        return codec
    if isinstance(fn, types.MethodType):
        return _callable_codec(fn.__func__)
    if isinstance(fn, partial):
        return _callable_codec(fn.func)
    if isinstance(fn, type | typing.NewType) or get_origin(fn) is not None or not callable(fn):
        return _type_codec(fn)
    if "return" in getattr(fn, "__annotations__", ()):  # what functools and decorators in C make of a function
        return _type_codec(_return_type(fn))
    call = getattr(type(fn), "__call__", None)  # noqa: B004 - the method's annotation is wanted
    return _callable_codec(call) if isinstance(call, types.FunctionType) else _TRIVIAL


def _return_type(fn: Any) -> Any:
    try:
        declared = fn.__annotations__.get("return", Any)
    except NameError:  # annotations are evaluated here from Python 3.14 on
        return Any
    if declared is Any:
        return Any
    if not isinstance(declared, type) or get_origin(declared) is not None:
        declared = _resolve(fn, declared)
    if get_origin(declared) in (collections.abc.Awaitable, collections.abc.Coroutine):
        declared = get_args(declared)[-1]
    return declared


_PLAIN_NAMES: Final = {"None": None, "str": str, "int": int, "bool": bool, "float": float, "dict": dict, "list": list, "object": object}


def _resolve(fn: Any, declared: Any) -> Any:
    """Evaluate the strings in an annotation, where `fn` was defined; Any if that fails."""
    if isinstance(declared, str) and declared in _PLAIN_NAMES:
        return _PLAIN_NAMES[declared]
    function = inspect.unwrap(fn)
    names = {parameter.__name__: parameter for parameter in getattr(function, "__type_params__", ())}
    code = getattr(function, "__code__", None)
    for name, cell in zip(code.co_freevars if code else (), getattr(function, "__closure__", None) or (), strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue

    def bearer() -> None:  # only the return type: a parameter that cannot be resolved is no matter
        pass

    bearer.__annotations__ = {"return": declared}
    try:
        return typing.get_type_hints(bearer, getattr(function, "__globals__", {}), names, include_extras=True)["return"]
    except Exception:  # noqa: BLE001 - an annotation is any expression
        return Any


# --- from a type to its codec

_NOTHING_TO_DO: Final = {
    None, types.NoneType, Any, object, str, int, bool, dict, list, typing.Never, typing.NoReturn, typing.LiteralString, typing.Self,
    collections.abc.Mapping, collections.abc.MutableMapping, collections.abc.Sequence, collections.abc.MutableSequence,
    collections.abc.Collection, collections.abc.Iterable,
}  # fmt: skip
_MAPPINGS: Final = {dict, collections.abc.Mapping, collections.abc.MutableMapping}
_SEQUENCES: Final = {
    list, collections.abc.Sequence, collections.abc.MutableSequence, collections.abc.Collection, collections.abc.Iterable,
}  # fmt: skip
_LAZY: Final = {collections.abc.Iterable, collections.abc.Collection}
_STREAMS: Final = {
    collections.abc.AsyncGenerator, collections.abc.AsyncIterator, collections.abc.AsyncIterable, collections.abc.Generator,
    collections.abc.Iterator,
}  # fmt: skip
_UNIONS: Final = (Union, types.UnionType)


def _is_trivial(tp: Any) -> bool:
    """Whether JSON's own value is a value of the type already."""
    if isinstance(tp, TypeVar) or tp in _NOTHING_TO_DO or tp in _STREAMS:
        return True
    if isinstance(tp, typing.NewType):
        return _is_trivial(tp.__supertype__)
    origin, args = get_origin(tp), get_args(tp)
    if origin in _UNIONS or origin in _SEQUENCES:
        return all(map(_is_trivial, args))
    if origin in _MAPPINGS:
        return args[0] is str and _is_trivial(args[1])
    return origin in _STREAMS


def _type_codec(tp: Any) -> _Codec:
    try:
        return _cached_codec(tp)
    except TypeError:
        try:
            hash(tp)
        except TypeError:  # Annotated with something unhashable
            return _pydantic_codec(tp)
        raise


def _make_codec(tp: Any) -> _Codec:
    if _is_trivial(tp):
        return _TRIVIAL
    if tp is float:
        return _FLOAT
    cls = get_origin(tp) or tp
    if cls in _LAZY:  # pydantic would give an iterator that reads as it goes
        return _pydantic_codec(list[get_args(tp)])  # type: ignore[misc]
    if _is_struct(cls):
        return _struct_codec(tp)
    if _is_attrs(cls):
        return _attrs_codec(cls)
    if _is_old_typed_dict(cls):
        return _typed_dict_codec(cls)
    return _pydantic_codec(tp)


# By the type, since `list[Order]` written in a handler is a new object each time. Bounded, for classes that are made in a function.
_cached_codec = lru_cache(maxsize=512)(_make_codec)


def _to_float(value: Any) -> Any:
    return float(value) if type(value) is int else value


_FLOAT: Final = _Codec(name="float", decode=_to_float)


def _name(tp: Any) -> str:
    return tp.__qualname__ if isinstance(tp, type) and get_origin(tp) is None else str(tp).replace("typing.", "")


def _is_struct(cls: Any) -> bool:
    return isinstance(cls, type) and hasattr(cls, "__struct_config__")


def _is_attrs(cls: Any) -> bool:
    return isinstance(cls, type) and hasattr(cls, "__attrs_attrs__")


def _is_old_typed_dict(cls: Any) -> bool:
    return sys.version_info < (3, 12) and typing.is_typeddict(cls)  # which pydantic refuses; those of typing_extensions are none


def _struct_codec(tp: Any) -> _Codec:
    import msgspec

    cls = get_origin(tp) or tp
    convert = partial(msgspec.convert, type=tp, str_keys=True)

    def fit(value: Any) -> Any:
        return value if isinstance(value, cls) else convert(value)

    return _Codec(name=_name(tp), decode=convert, fit=fit, plain=partial(msgspec.to_builtins, str_keys=True))


def _attrs_codec(cls: Any) -> _Codec:
    import attrs

    fields = [field for field in attrs.fields(cls) if field.init]
    names = {field.name: field.alias for field in fields}
    shape = _shape(cls, names, {field.name for field in fields if field.default is not attrs.NOTHING})

    def build(given: dict[str, Any]) -> Any:
        return cls(**{names[name]: item for name, item in given.items()})

    def fit(value: Any) -> Any:
        return value if isinstance(value, cls) else build(shape().fit(value))

    def plain(value: Any) -> Any:
        return shape().dump({name: getattr(value, name) for name in names})

    return _Codec(name=_name(cls), decode=lambda value: build(shape().decode(value)), fit=fit, plain=plain)


def _typed_dict_codec(cls: Any) -> _Codec:
    shape = _shape(cls, cls.__annotations__, cls.__optional_keys__)
    return _Codec(
        name=_name(cls),
        decode=lambda value: shape().decode(value),
        fit=lambda value: shape().fit(value),
        plain=lambda value: shape().plain(value),
    )


def _shape(cls: Any, names: Iterable[str], optional: Container[str]) -> Callable[[], Any]:
    """Give the codec of a TypedDict with the fields of a class that pydantic does not take.

    It is made at first use: a class that holds itself has a codec of its own by then.
    """

    @cache
    def shape() -> _Codec:
        import typing_extensions  # pydantic needs it as well

        hints = typing.get_type_hints(cls, include_extras=True)
        fields: dict[str, Any] = {name: _explained(hints.get(name, Any)) for name in names}
        fields |= {name: typing_extensions.NotRequired[hint] for name, hint in fields.items() if name in optional and not _is_marked(hint)}
        return _pydantic_codec(typing_extensions.TypedDict(cls.__name__, fields))  # type: ignore[operator]

    return shape


def _is_marked(hint: Any) -> bool:
    return get_origin(hint) in (typing.Required, typing.NotRequired)


def _pydantic_codec(tp: Any) -> _Codec:
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    target = _explained(tp)
    try:
        try:
            # Any bytes, and not only those that happen to be UTF-8. Models and dataclasses have a config of their own.
            adapter = TypeAdapter(target, config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
        except PydanticUserError as error:
            if error.code != "type-adapter-config-unused":
                raise
            adapter = TypeAdapter(target)
        validate_json, validate, dump = adapter.validator.validate_json, adapter.validator.validate_python, adapter.dump_python
    except (PydanticUserError, NameError) as error:
        # The instances of a class that nobody knows are no JSON, which jsonvalue says. All else would come back as something else.
        unknown = isinstance(tp, type) and not (issubclass(tp, tuple) or _describes_object(tp) or hasattr(tp, "model_dump"))
        return _TRIVIAL if unknown else _unreadable_codec(tp, str(error))

    # By way of JSON text, where a strict model takes a string for a datetime and bytes may be base64. By alias and by name: models are
    # written by name, unless they say otherwise.
    return _Codec(
        name=_name(tp),
        decode=lambda value: validate_json(orjson.dumps(value), by_alias=True, by_name=True),
        fit=lambda value: validate(value, by_alias=True, by_name=True),
        plain=lambda value: dump(value, mode="json", warnings=False),  # decoding tells more
    )


def _unreadable_codec(tp: Any, reason: str) -> _Codec:
    def refuse(_: object) -> Any:
        raise ValueError(f"it cannot be read from JSON: {reason.splitlines()[0]}")

    return _Codec(name=_name(tp), decode=refuse, fit=refuse, plain=refuse)


class _Explanation:
    """Tells pydantic about a class it does not know, inside of types that it does: list[SomeStruct]."""

    def __init__(self, cls: Any) -> None:
        self.cls: Any = cls

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        codec = _type_codec(self.cls)
        assert codec.plain is not None
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_plain_validator_function(_collected(codec.decode)),
            python_schema=core_schema.no_info_plain_validator_function(_collected(codec.fit)),
            serialization=core_schema.plain_serializer_function_ser_schema(codec.plain),
        )


def _collected(read: Any) -> Callable[[Any], Any]:
    def validate(value: Any) -> Any:
        try:
            return read(value)
        except Exception as error:
            raise ValueError(str(error)) from error  # which pydantic collects, with the path

    return validate


def _member_reader(members: list[enum.Enum]) -> Any:
    from pydantic import BeforeValidator

    # Pydantic reads an enum by its value, but not a Literal of its members.
    return BeforeValidator(lambda value: next((member for member in members if member.value == value), value))


def _explained(tp: Any) -> Any:
    """Give the type with an explanation on each class in it that pydantic does not know."""
    origin, args = get_origin(tp), get_args(tp)
    cls = origin or tp
    if _is_struct(cls) or _is_attrs(cls) or _is_old_typed_dict(cls):
        return Annotated[tp, _Explanation(tp)]
    if origin is Literal:
        members = [arg for arg in args if isinstance(arg, enum.Enum)]
        return Annotated[tp, _member_reader(members)] if members else tp
    if origin is None or not args:
        return tp
    if origin is Annotated:
        return Annotated[(_explained(args[0]), *args[1:])]
    explained = [_explained(arg) for arg in args]
    if all(new is old for new, old in zip(explained, args, strict=True)):
        return tp
    if origin in _UNIONS:
        return Union[tuple(explained)]  # noqa: UP007 - of a tuple
    return origin[tuple(explained) if len(explained) > 1 else explained[0]]


# --- what did not fit, and where


@dataclasses.dataclass(frozen=True, slots=True)
class _Misfit:
    text: str
    path: str
    value: object

    def __str__(self) -> str:
        return f"{self.text} at {self.path}" if self.path else self.text


def _misfits(error: Any, value: object) -> list[_Misfit]:
    pydantic_core = sys.modules.get("pydantic_core")
    if pydantic_core and isinstance(error, pydantic_core.ValidationError):
        return [_Misfit(each["msg"], _path(each["loc"]), each["input"]) for each in error.errors(include_url=False)]
    return [_Misfit(str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}", "", value)]


def _path(places: Iterable[int | str]) -> str:
    return "".join(f"[{place!r}]" if isinstance(place, int) or not place.isidentifier() else f".{place}" for place in places)


# --- schemas


class Schema:
    """What the data of a deferred function or an event must be: a type that JSON writes as an object, or a callable.

    A type is a pydantic model, dataclass, TypedDict, msgspec Struct, attrs class, `dict`, or a union of them. A callable, sync or
    async, takes the data, gives the data to use in its place (None: the same), and raises when it is bad. Either runs twice: where the
    data is given and where it is received.

    `name` is for messages. `is_async` tells whether the callable is async; then `check` and `load` refuse and `acheck` and `aload` serve.
    """

    __slots__ = ("_codec", "_fn", "is_async", "name")

    def __init__(self, *, name: str, codec: _Codec | None = None, fn: Callable[[Any], Any] | None = None, is_async: bool = False) -> None:
        self.name: str = name
        self.is_async: bool = is_async
        self._codec = codec
        self._fn = fn

    @classmethod
    def of(cls, obj: Any) -> Schema:
        """Give the schema that `obj` describes. Raises TypeError if that is none, or not one of a JSON object."""
        if _describes_object(obj):
            # A result that says dict[str, int] is JSON as it is; data that should be one is looked at.
            codec = _pydantic_codec(obj) if get_origin(obj) in _MAPPINGS else _type_codec(obj)
            return cls(name=_name(obj), codec=codec)
        if isinstance(obj, type) or get_origin(obj) is not None or not callable(obj):
            raise TypeError(
                f"{_name(obj)} is no schema: it must describe a JSON object; allowed are a pydantic model, dataclass, TypedDict, "
                "msgspec Struct, attrs class, dict, or a callable that takes the data"
            )
        named = obj.func if isinstance(obj, partial) else obj
        name = getattr(named, "__qualname__", None) or type(obj).__qualname__
        is_async = inspect.iscoroutinefunction(obj) or inspect.iscoroutinefunction(getattr(type(obj), "__call__", None))  # noqa: B004
        return cls(name=name, fn=obj, is_async=is_async)

    def __repr__(self) -> str:
        return f"Schema.of({self.name})"

    def check(self, data: object) -> dict[str, Any]:
        """Check data where it is given: an instance of the type, or a dict. Gives what ships, a JSON object.

        Raises SchemaError.
        """
        return self._shipped(data, self._ask(data))

    async def acheck(self, data: object) -> dict[str, Any]:
        """Do what `check` does, for sync and async schemas alike."""
        return self._shipped(data, await self._aask(data))

    def load(self, json: Any) -> Any:
        """Turn a JSON object that was received into an instance of the type, or into what the callable gives. Raises SchemaError."""
        return self._loaded(json) if self._fn is None else self._or(json, self._ask(json))

    async def aload(self, json: Any) -> Any:
        """Do what `load` does, for sync and async schemas alike."""
        return self._loaded(json) if self._fn is None else self._or(json, await self._aask(json))

    def _ask(self, data: object) -> Any:
        """Give what the type or the callable makes of live data."""
        try:
            given = self._made(data)
        except Exception as error:
            raise self._error(error, data) from error
        if inspect.isawaitable(given):
            if inspect.iscoroutine(given):
                given.close()
            raise SchemaError(schema=self.name, reason="it is asynchronous, and a synchronous schema is needed here")
        return given

    async def _aask(self, data: object) -> Any:
        try:
            given = self._made(data)
            return await given if inspect.isawaitable(given) else given
        except Exception as error:
            raise self._error(error, data) from error

    def _made(self, data: object) -> Any:
        if self._fn is not None:
            return self._fn(data)
        return data if self._codec is None else self._codec.dump(data)

    @staticmethod
    def _or(data: Any, given: Any) -> Any:
        return data if given is None else given

    def _shipped(self, data: object, given: Any) -> dict[str, Any]:
        try:
            json = decode(encode(self._or(data, given), "it"))
        except NotJSON as error:
            raise SchemaError(schema=self.name, reason=str(error)) from error
        if not isinstance(json, dict):
            raise SchemaError(schema=self.name, reason=f"it must be a JSON object, not {json!r:.80}")
        if self._fn is None:
            self._loaded(json)  # what the receiver would refuse is better refused here
        return json

    def _loaded(self, json: Any) -> Any:
        if not isinstance(json, dict):
            raise SchemaError(schema=self.name, reason=f"it must be a JSON object, not {json!r:.80}")
        if self._codec is None or self._codec.decode is None:
            return json
        try:
            return self._codec.decode(json)
        except Exception as error:
            raise self._error(error, json) from error

    def _error(self, error: Exception, data: object) -> SchemaError:
        if isinstance(error, SchemaError):
            return error
        return SchemaError(schema=self.name, reason="; ".join(map(str, _misfits(error, data)[:3])))


def _describes_object(tp: Any) -> bool:
    """Whether a type's values are JSON objects."""
    origin, args = get_origin(tp), get_args(tp)
    if origin is Annotated:
        return _describes_object(args[0])
    if origin in _UNIONS:
        return all(map(_describes_object, args))
    if origin in _MAPPINGS:
        return args[0] is str
    cls = origin or tp
    if not isinstance(cls, type):
        return False
    if root := getattr(cls, "model_fields", {}).get("root"):  # a pydantic RootModel
        return _describes_object(root.annotation)
    if _is_struct(cls):
        return not getattr(cls, "__struct_config__").array_like  # noqa: B009 - not in the type's stubs
    return cls is dict or hasattr(cls, "__required_keys__") or _is_attrs(cls) or dataclasses.is_dataclass(cls) or hasattr(cls, "model_dump")
