"""EncryptionMiddleware: what leaves the app's process is encrypted, and decrypted where it comes back.

Promises: AES-256-GCM with a random nonce for each value; a step's result can be read only as the result of that step of that function, a
defer's data only by the function and from the run that it was meant for; data that was changed, moved or encrypted with an unknown key is an
error that says which. Refuses: passwords as keys; to encrypt errors, ids, names, event names and what a server has to read.

Needs the extra `encryption`. What stands for an encrypted value is {"__encrypted__": "ig1.KEY.PURPOSE.DATA"}: the key's id, what it is, and
in base64url the nonce (12 bytes), the ciphertext and the tag (16 bytes).
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Self, TypeGuard

from inngest_gen import jsonvalue
from inngest_gen.errors import ConfigError, DecryptionError
from inngest_gen.event import Event
from inngest_gen.middleware.info import DeferInput, FunctionInput, RunInfo, StepInfo
from inngest_gen.middleware.middleware import Middleware, Next

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError as _absent:
    _missing: ImportError | None = _absent
else:
    _missing = None

_MARK: Final = "__encrypted__"
_VERSION: Final = "ig1"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SEALED: Final = re.compile(r"ig\d+\.")
_BODIED: Final = frozenset({"step.run", "step.ai.wrap"})
_FROM_OTHERS: Final = frozenset({"step.invoke", "step.wait_for_event", "step.wait_for_signal"})
_MOVABLE: Final = frozenset({"event", "output", "signal"})
"""What may turn up anywhere in what comes in: an event's data in the event of a failed run, a function's result in that of an invoke."""


class EncryptionMiddleware(Middleware):
    """Encrypts results of steps and functions, and the data of defers, invokes, signals and, where wanted, events.

        ig.App("shop", middleware=[EncryptionMiddleware(os.environ["SHOP_KEY"])])

    `key` is 32 random bytes, or their base64 text: `EncryptionMiddleware.generate_key()` makes one. `fallback_keys` only decrypt: those of before.
    `event_data`: True encrypts the data of sent events, a list of names only these fields of it. `plain_fields` names top-level fields that stay
    readable where data is encrypted as a whole (defers, invokes, events): for flow control and matching. With `decrypt_only` nothing is
    encrypted, for rolling it in or out. With `accept_plain=False` plain results of `step.run` and plain data of defers are refused.
    Raises ConfigError for a key that is none.

    Declare it for the app, first in the list. It keeps nothing of a request: the object itself is what the list takes.
    """

    def __init__(
        self,
        key: str | bytes,
        *,
        fallback_keys: Sequence[str | bytes] = (),
        event_data: bool | Collection[str] = False,
        plain_fields: Collection[str] = (),
        decrypt_only: bool = False,
        accept_plain: bool = True,
    ) -> None:
        if _missing is not None:
            raise ImportError("EncryptionMiddleware needs the extra `encryption`: pip install 'inngest-gen[encryption]'") from _missing
        lists = (fallback_keys, plain_fields, () if isinstance(event_data, bool) else event_data)
        if any(isinstance(one, (str, bytes)) or not isinstance(one, Collection) for one in lists):
            raise ConfigError("fallback_keys, event_data and plain_fields are lists: event_data=['card']")
        self._key_id, self._cipher = _cipher(key)
        self._ciphers = {self._key_id: self._cipher}
        for fallback in fallback_keys:
            id, cipher = _cipher(fallback)
            self._ciphers.setdefault(id, cipher)
        self._event_data = event_data if isinstance(event_data, bool) else frozenset(event_data)
        self._plain_fields = frozenset(plain_fields)
        self._decrypt_only = decrypt_only
        self._accept_plain = accept_plain

    def __call__(self) -> Self:
        """Give the middleware of a request: itself, since it keeps nothing."""
        return self

    def __repr__(self) -> str:
        return f"<EncryptionMiddleware with key {self._key_id} and {len(self._ciphers) - 1} fallback keys>"

    @staticmethod
    def generate_key() -> str:
        """Make a key: 32 random bytes in base64url."""
        return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()

    def decrypt(self, value: Any, *, slug: str = "", hash: str = "", run_id: str = "") -> Any:
        """Read a value that was recorded: a run's output, an event's data; plain ones are given as they are.

        For a step's result, `slug` is its function's and `hash` the step's; for a defer's data, `slug` is the deferred function's and `run_id` the
        run that deferred. Raises DecryptionError.
        """
        return self._opened(value, {"step": f"{slug}|{hash}", "defer": f"{slug}|{run_id}"})

    # What comes in.

    def transform_function_input(self, input: FunctionInput) -> FunctionInput:
        """Decrypt the events."""
        events = tuple(self._opened_event(event) for event in input.events)
        return (
            input if all(new is old for new, old in zip(events, input.events, strict=True)) else dataclasses.replace(input, events=events)
        )

    def restore_defer_input(self, defer: DeferInput) -> DeferInput:
        """Decrypt a defer's data."""
        if not _is_seal(defer.data.get(_MARK)):
            if not self._accept_plain:
                raise DecryptionError(f"the data of a defer to {defer.function} is plain, and accept_plain is False")
            return defer
        return dataclasses.replace(defer, data=self._opened(defer.data, {"defer": f"{defer.function}|{defer.run_id}"}))

    async def wrap_step(self, step: StepInfo, next: Next) -> Any:
        """Encrypt what a body gives, decrypt what is recorded."""
        value = await next()
        bound = f"{step.run.slug}|{step.hash}"
        if not step.memoized:
            return value if self._decrypt_only else self._sealed(value, "step", bound, f"the result of {step.kind} {step.id!r}")
        if step.kind not in _BODIED:
            return self._opened(value, {}) if step.kind in _FROM_OTHERS else value
        if isinstance(value, dict) and len(value) == 1 and _is_seal(value.get(_MARK)):
            return self._open(value[_MARK], {"step": bound})
        if not self._accept_plain:
            raise DecryptionError(f"the recorded result of {step.kind} {step.id!r} is plain, and accept_plain is False")
        return value

    # What goes out.

    async def wrap_function(self, run: RunInfo, next: Next) -> Any:
        """Encrypt the function's result; None stays None."""
        value = await next()
        if value is None or self._decrypt_only:
            return value
        return self._sealed(value, "output", "", f"the result of function {run.function_id!r}")

    def transform_step_input(self, step: StepInfo) -> StepInfo:
        """Encrypt what an invoke and a signal carry."""
        if step.data is None or self._decrypt_only:
            return step
        what = f"the data of {step.kind} {step.id!r}"
        if step.kind == "step.invoke" and isinstance(step.data, Mapping):
            return dataclasses.replace(step, data=self._sealed_object(step.data, "event", "", what))
        if step.kind == "step.send_signal":
            return dataclasses.replace(step, data=self._sealed(step.data, "signal", "", what))
        return step

    def transform_defer_input(self, defer: DeferInput) -> DeferInput:
        """Encrypt a defer's data."""
        if self._decrypt_only:
            return defer
        sealed = self._sealed_object(defer.data, "defer", f"{defer.function}|{defer.run_id}", f"the data of defer {defer.id!r}")
        return dataclasses.replace(defer, data=sealed)

    def transform_send_event(self, events: Sequence[Event]) -> Sequence[Event]:
        """Encrypt the data of events, as `event_data` says."""
        if not self._event_data or self._decrypt_only:
            return events
        return [dataclasses.replace(event, data=self._sealed_event_data(event)) for event in events]

    def _sealed_event_data(self, event: Event) -> Mapping[str, Any]:
        what = f"the data of event {event.name!r}"
        if self._event_data is True:
            return self._sealed_object(event.data, "event", "", what) if event.data else event.data
        fields = self._event_data or frozenset()
        return {name: self._sealed(value, "event", "", what) if name in fields else value for name, value in event.data.items()}

    # The envelope.

    def _sealed_object(self, data: Mapping[str, Any], purpose: str, bound: str, what: str) -> dict[str, Any]:
        """Encrypt an object as a whole, but for the fields that stay readable."""
        secret = {name: value for name, value in data.items() if name not in self._plain_fields}
        plain = {name: value for name, value in data.items() if name in self._plain_fields}
        return {**plain, **self._sealed(secret, purpose, bound, what)}

    def _sealed(self, value: Any, purpose: str, bound: str, what: str) -> dict[str, str]:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        head = f"{_VERSION}.{self._key_id}.{purpose}"
        secret = self._cipher.encrypt(nonce, jsonvalue.encode(value, what), f"{head}|{bound}".encode())
        return {_MARK: f"{head}.{base64.urlsafe_b64encode(nonce + secret).decode().rstrip('=')}"}

    def _open(self, sealed: str, bounds: Mapping[str, str]) -> Any:
        """Decrypt. `bounds` says for each purpose that may be read here what it is bound to. Raises DecryptionError."""
        parts = sealed.split(".")
        if len(parts) != 4 or parts[0] != _VERSION:
            raise DecryptionError(f"encrypted data of an unknown format ({parts[0][:8]!r}), perhaps of a later version of inngest-gen")
        _, key_id, purpose, text = parts
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise DecryptionError(f"data is encrypted with the key {key_id[:16]!r}, which is not here: name it in fallback_keys")
        if purpose not in bounds:
            raise DecryptionError(f"encrypted data of a {purpose[:16]!r} is where it does not belong: it was moved")
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            data = cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], f"{_VERSION}.{key_id}.{purpose}|{bounds[purpose]}".encode())
        except (InvalidTag, ValueError, binascii.Error):
            raise DecryptionError(f"encrypted data of a {purpose!r} was changed, or moved here from elsewhere") from None
        return jsonvalue.decode(data)

    def _opened(self, value: Any, bounds: Mapping[str, str]) -> Any:
        """Decrypt what is encrypted in a value, however deep; gives the value itself if nothing is."""
        if isinstance(value, Mapping):
            sealed = value.get(_MARK)
            if _is_seal(sealed):
                inner = self._open(sealed, {**dict.fromkeys(_MOVABLE, ""), **bounds})
                if len(value) == 1:
                    return inner
                if not isinstance(inner, dict):
                    raise DecryptionError("encrypted data that is no object has other fields beside it: it was moved")
                # What was encrypted counts: the other fields can be written by anybody.
                return {**{name: self._opened(one, bounds) for name, one in value.items() if name != _MARK}, **inner}
            changed = {name: self._opened(one, bounds) for name, one in value.items()}
            return value if all(changed[name] is one for name, one in value.items()) else changed
        if isinstance(value, list):
            items = [self._opened(one, bounds) for one in value]
            return value if all(new is old for new, old in zip(items, value, strict=True)) else items
        return value

    def _opened_event(self, event: Event) -> Event:
        data = self._opened(event.data, {})
        return event if data is event.data else dataclasses.replace(event, data=data)


def _is_seal(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _SEALED.match(value) is not None


def _cipher(key: object) -> tuple[str, AESGCM]:
    """Give a key's id and its cipher. Raises ConfigError, without a word of the key."""
    raw = key
    if isinstance(key, str):
        text = key.strip()
        try:
            raw = base64.b64decode(text.translate({ord("-"): "+", ord("_"): "/"}) + "=" * (-len(text) % 4), validate=True)
        except (ValueError, binascii.Error):
            raw = None
    if not isinstance(raw, bytes) or len(raw) != _KEY_BYTES:
        raise ConfigError("an encryption key is 32 random bytes, or their base64 text: EncryptionMiddleware.generate_key() makes one")
    # Not secret: it tells which key to take, and nothing of the key.
    id = base64.urlsafe_b64encode(hashlib.sha256(b"inngest_gen key id\0" + raw).digest()[:6]).decode()
    return id, AESGCM(raw)
