"""The lazy buffer: collects defers and aborts in call order until the next message takes them.

Promises: a defer the engine already has is skipped in silence once; a second use of an id is logged and skipped; an abort of what was never
sent sends neither; misuse and limits are logged with the run's id and skipped, or raised where `defer_errors="raise"`.
One buffer for each replay of the handler, one for each attempt of a step body; they share `prior`, the hashed ids that the engine has.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from inngest_gen import jsonvalue
from inngest_gen.calls.lazy import DeferAbort, DeferAdd, DeferRejected, LazyOp, PriorDefers
from inngest_gen.codecs import Schema
from inngest_gen.driver.attempt import Attempt
from inngest_gen.errors import DeferError, MisuseError
from inngest_gen.ids import step_hash
from inngest_gen.intents.defer import Defer, DeferHandle
from inngest_gen.middleware.chain import Chain
from inngest_gen.middleware.info import DeferInput
from inngest_gen.sessions import checked_sessions

DEFERS_PER_RUN = 20
INPUT_BYTES = 4 * 1024 * 1024
META_BYTES = 32 * 1024
"""Limits of the server: B02 of pkg/consts/consts.go."""

OnMisuse = Literal["log", "raise"]


@dataclass(frozen=True, slots=True)
class _Unsettled:
    """The place of a defer whose async schema, or else whose hooks, are yet to be asked; then `data` and `meta` are checked already."""

    defer: Defer
    slug: str
    schema: Schema | None
    data: bytes = b""
    meta: Mapping[str, Any] | None = None


class LazyBuffer:
    """The defers of one replay, or of one attempt of a step body.

    `prior` maps the hashed ids that the engine has to whether they can still be aborted. A deferred function is told from anything else by an
    attribute `deferred_slug` that is a string; its `schema` is a Schema or None. `attempt` is the attempt whose body it is for, if any.
    `chain` is there where middleware changes the data of defers.
    """

    __slots__ = (
        "_earlier",
        "_made",
        "_pending",
        "_seen",
        "_total",
        "attempt",
        "chain",
        "log",
        "on_misuse",
        "passing",
        "prior",
        "run_id",
        "taken_back",
        "unsettled",
    )

    def __init__(
        self,
        prior: PriorDefers,
        run_id: str,
        on_misuse: OnMisuse = "log",
        log: logging.Logger | None = None,
        attempt: Attempt | None = None,
        chain: Chain | None = None,
    ) -> None:
        self.prior: PriorDefers = prior
        self.run_id: str = run_id
        self.attempt: Attempt | None = attempt
        self.on_misuse: OnMisuse = on_misuse
        self.log: logging.Logger = log or logging.getLogger("inngest_gen")
        self.chain: Chain | None = chain if chain is not None and chain.transforms_defers else None
        self.passing: Callable[[], bool] = _never
        """Whether the handler is at a place which it has passed before. What it makes there and `prior` does not have, it took back unsent."""
        self._earlier: set[str] = {hash for hash, state in prior.items() if state is not None} if prior and attempt is None else set()
        """What was made before this replay began, and has not been made in it yet."""
        self._pending: dict[str, LazyOp | _Unsettled] = {}
        self._seen: set[str] = set()
        self._made: dict[int, Defer] = {}
        self.unsettled: int = 0
        """How many of what was submitted wait for `settle`, at most."""
        self.taken_back: list[tuple[int, DeferAdd]] = []
        """What was aborted before it was sent, each with how many defers came before it. Only tests are told of it."""
        self._total = 0

    @property
    def _step(self) -> str | None:
        return None if self.attempt is None else self.attempt.step_hash

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def seen(self) -> frozenset[str]:
        """The hashes of the defers that were made so far, sent or not."""
        return frozenset(self._seen)

    # What intents call.

    def made(self, defer: Defer) -> None:
        """Note that a defer was made, so that `forgotten` can tell of one that is never yielded or submitted."""
        self._made[id(defer)] = defer

    def is_async_for(self, defer: Defer) -> bool:
        """Say whether a defer is to be taken with `add_now` where that can be awaited."""
        return self.chain is not None or _asks_later(defer)

    def add(self, defer: Defer) -> DeferHandle:
        """Take a defer. Where its schema is async, or middleware changes its data, `settle` does that later.

        Raises DeferError only with `on_misuse="raise"`.
        """
        taken = self._take(defer, awaits=False)
        if isinstance(taken, DeferHandle):
            return taken
        hash, slug, schema = taken
        if schema is not None and schema.is_async:
            return self._leave(_Unsettled(defer, slug, schema), hash)
        try:
            data, meta = _encoded(defer, defer.data if schema is None else schema.check(defer.data))
        except Exception as error:  # noqa: BLE001 - a user's schema may raise anything, and a defer never fails its parent
            return self._misuse(defer, hash, slug, str(error) or type(error).__name__, error)
        if self.chain is not None and hash not in self.prior:
            return self._leave(_Unsettled(defer, slug, None, data, meta), hash)
        return self._keep(defer, hash, slug, data, meta)

    async def add_now(self, defer: Defer) -> DeferHandle:
        """Take a defer, awaiting an async schema and the hooks of middleware. Raises what a hook raises."""
        taken = self._take(defer, awaits=True)
        if isinstance(taken, DeferHandle):
            return taken
        hash, slug, schema = taken
        try:
            data, meta = _encoded(defer, defer.data if schema is None else await _checked(schema, defer.data))
        except Exception as error:  # noqa: BLE001 - as above
            return self._misuse(defer, hash, slug, str(error) or type(error).__name__, error)
        return await self._transform(defer, hash, slug, data, meta)

    def abort(self, handle: DeferHandle) -> None:
        """Take a defer back."""
        if not handle.active:
            return
        hash = handle.hash
        pending = self._pending.get(hash)
        if isinstance(pending, DeferAdd):
            self._take_back(pending)
            self._total -= len(pending.data)
        elif isinstance(pending, _Unsettled):
            defer = pending.defer
            self._take_back(DeferAdd(hash=hash, id=defer.id, name=defer.name, function=pending.slug, data=b"{}"))
        elif self.prior.get(hash, False):
            self._pending[hash] = DeferAbort(hash=hash, id=handle.id, function=handle.slug)
            self.prior[hash] = False

    def _take_back(self, op: DeferAdd) -> None:
        self.taken_back.append((len(self.prior) + list(self._pending).index(op.hash), op))
        del self._pending[op.hash]

    # What the driver and the body runner call.

    def excuse(self) -> None:
        """Forget which defers were made so far: an error skips their yields."""
        self._made.clear()

    async def settle(self) -> None:
        """Ask the async schemas and the hooks of middleware about what was submitted, all of it; then raise the first error, if any.

        That is what a hook raised, whose defer is then gone, or a DeferError with `on_misuse="raise"`.
        """
        failed: Exception | None = None
        for hash, waiting in list(self._pending.items()) if self.unsettled else ():
            if not isinstance(waiting, _Unsettled):
                continue
            try:
                await self._settle(hash, waiting)
            except DeferError as error:
                failed = failed or error
            except Exception as error:  # noqa: BLE001 - a hook may raise anything; it must not leave as it is
                self._pending.pop(hash, None)
                failed = failed or error
        self.unsettled = 0
        if failed is not None:
            raise failed

    async def _settle(self, hash: str, waiting: _Unsettled) -> None:
        defer, slug, data, meta = waiting.defer, waiting.slug, waiting.data, waiting.meta
        if waiting.schema is not None:
            try:
                data, meta = _encoded(defer, await _checked(waiting.schema, defer.data))
            except Exception as error:  # noqa: BLE001 - as above
                self._misuse(defer, hash, slug, str(error) or type(error).__name__, error)
                return
        await self._transform(defer, hash, slug, data, meta)

    def forgotten(self) -> Defer | None:
        """Give a defer that was made and neither yielded nor submitted, or None."""
        return next(iter(self._made.values()), None)

    def drain(self) -> list[LazyOp]:
        """Give what is to be sent, in call order, and count it as sent."""
        if not self._pending:
            return []
        ops = [op for op in self._pending.values() if not isinstance(op, _Unsettled)]
        if self.unsettled:
            self._pending = {hash: op for hash, op in self._pending.items() if isinstance(op, _Unsettled)}
        else:
            self._pending.clear()
        for op in ops:
            if isinstance(op, DeferAdd):
                self.prior.setdefault(op.hash, True)
        return ops

    # What a debugger looks at.

    def has_seen(self, hash: str) -> bool:
        """Say whether a defer with this hashed id was made in this replay or attempt."""
        return hash in self._seen

    def waiting(self) -> list[LazyOp | Defer]:
        """List what waits for the next message, in call order; a Defer is yet to be asked about: its async schema, or hooks."""
        return [op.defer if isinstance(op, _Unsettled) else op for op in self._pending.values()]

    # Checks.

    def _take(self, defer: Defer, *, awaits: bool) -> DeferHandle | tuple[str, str, Schema | None]:
        self._made.pop(id(defer), None)
        if defer.submitted:
            raise MisuseError(f"defer {defer.id!r} was yielded or submitted twice: make one for each")
        defer.submitted = True
        hash = step_hash(defer.id)
        slug = getattr(defer.function, "deferred_slug", None)
        if hash in self._seen:
            self.log.warning("defer skipped: duplicate ID within run", extra={"id": defer.id, "run_id": self.run_id})
            return DeferHandle(defer.id, hash, slug, active=False)
        self._seen.add(hash)
        self._earlier.discard(hash)
        if hash in self.prior and self.on_misuse == "log":
            # As it was then: what an async schema says of a defer that is submitted comes after the handle.
            skipped = self.prior[hash] is None and (awaits or not _asks_later(defer))
            return DeferHandle(defer.id, hash, slug, active=not skipped)
        # Where misuse is raised, a replay must raise it as the first time did: known ones are checked again, and only not sent.
        if not isinstance(slug, str):
            return self._misuse(defer, hash, None, f"{_called(defer.function)} is no deferred function (declare it with app.deferred)")
        if not isinstance(defer.data, Mapping) and defer.function.schema is None:
            return self._misuse(defer, hash, slug, f"its data must be a JSON object (a dict), not {type(defer.data).__name__}")
        return hash, slug, defer.function.schema

    def _leave(self, unsettled: _Unsettled, hash: str) -> DeferHandle:
        self._pending[hash] = unsettled
        self.unsettled += 1
        return DeferHandle(unsettled.defer.id, hash, unsettled.slug, active=True)

    async def _transform(self, defer: Defer, hash: str, slug: str, data: bytes, meta: Mapping[str, Any] | None) -> DeferHandle:
        """Let the hooks change a defer that is new, and keep it."""
        if self.chain is not None and hash not in self.prior:
            given = DeferInput(id=defer.id, function=slug, run_id=self.run_id, data=jsonvalue.decode(data), meta=meta)
            changed = await self.chain.defer_input(given)
            if changed.data is not given.data:
                data = jsonvalue.encode(changed.data, f"the data that a transform_defer_input hook gave defer {defer.id!r}")
                if not data.startswith(b"{"):
                    raise MisuseError(f"a transform_defer_input hook gave defer {defer.id!r} data that is no JSON object")
            if changed.meta is not meta:
                meta = None if changed.meta is None else checked_meta(changed.meta)
        return self._keep(defer, hash, slug, data, meta)

    def _keep(self, defer: Defer, hash: str, slug: str, data: bytes, meta: Mapping[str, Any] | None) -> DeferHandle:
        """Keep what is ready to be sent, within the limits."""
        known = hash in self.prior
        adds = sum(isinstance(op, DeferAdd) for op in self._pending.values())
        limit = None
        # In a replay those count that had been made by here: then as now, there was room for this one or not.
        counted = self._seen if self._earlier or self.passing() else self.prior
        there = adds + sum(self.prior.get(other) is not None for other in counted)
        if there >= DEFERS_PER_RUN and not known:
            limit = f"a run has at most {DEFERS_PER_RUN} defers"
        elif len(data) > INPUT_BYTES:
            limit = f"its data has {len(data):,} bytes, the limit is {INPUT_BYTES:,}"
        elif self._total + len(data) > INPUT_BYTES:
            limit = f"the data of all defers of a run may have {INPUT_BYTES:,} bytes together"
        elif known and self.prior[hash] is None:  # rejected then, and for nothing of the above: a replay raises it again
            limit = f"a run has at most {DEFERS_PER_RUN} defers"
        if limit is not None:
            return self._misuse(defer, hash, slug, limit)
        self._total += len(data)
        if known:
            self._pending.pop(hash, None)
        else:
            self._pending[hash] = DeferAdd(
                hash=hash,
                id=defer.id,
                name=defer.name,
                function=slug,
                data=data,
                meta=meta,
                experiment=_experiment(defer),
                step=self._step,
            )
        return DeferHandle(defer.id, hash, slug, active=True)

    def _misuse(self, defer: Defer, hash: str, slug: str | None, reason: str, cause: Exception | None = None) -> DeferHandle:
        self._pending[hash] = DeferRejected(hash=hash, id=defer.id, function=slug, reason=reason, step=self._step)
        error = DeferError(defer.id, reason)
        if self.on_misuse == "raise":
            raise error from cause
        self.log.warning("%s (run %s)", error, self.run_id, extra={"id": defer.id, "run_id": self.run_id})
        return DeferHandle(defer.id, hash, slug, active=False)


def _never() -> bool:
    return False


def _asks_later(defer: Defer) -> bool:
    asks: bool = getattr(getattr(defer.function, "schema", None), "is_async", False)
    return asks


async def _checked(schema: Schema, data: object) -> Any:
    return await schema.acheck(data) if schema.is_async else schema.check(data)


def _encoded(defer: Defer, value: object) -> tuple[bytes, Mapping[str, Any] | None]:
    """Give a defer's checked data as JSON, and its meta. Raises InngestGenError for what of it cannot be sent, its experiment too."""
    data = jsonvalue.encode(value, f"the data of defer {defer.id!r}")
    meta = None if defer.meta is None else checked_meta(defer.meta)
    if not data.startswith(b"{"):
        raise MisuseError("its data must become a JSON object")
    _experiment(defer)
    return data, meta


def _experiment(defer: Defer) -> Any:
    if defer.experiment is None:
        return None
    return jsonvalue.decode(jsonvalue.encode(defer.experiment, f"the experiment of defer {defer.id!r}"))


def checked_meta(meta: object) -> Mapping[str, Any]:
    """Check a defer's meta: a JSON object of at most 32 KiB; its `sessions`, where it has them, become text. Raises InngestGenError."""
    if not isinstance(meta, Mapping):
        raise MisuseError(f"meta must be a JSON object (a dict), not {type(meta).__name__}")
    meta = dict(meta)
    if "sessions" in meta:
        meta["sessions"] = checked_sessions(meta["sessions"], "meta.sessions")
    encoded = jsonvalue.encode(meta, "meta")
    if len(encoded) > META_BYTES:
        raise MisuseError(f"meta has {len(encoded):,} bytes, the limit is {META_BYTES:,}")
    result: dict[str, Any] = json.loads(encoded)
    return result


def _called(function: object) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
