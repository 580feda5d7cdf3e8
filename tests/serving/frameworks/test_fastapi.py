"""An app in FastAPI and in Starlette, as a route and mounted; an engine beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Route

import inngest_gen as ig
from tests.serving.frameworks.contract import CALL, Contract, Host, small_app


@asynccontextmanager
async def fastapi_route(app: ig.App) -> AsyncIterator[Host]:
    api = FastAPI()
    api.add_route("/api/inngest", ig.serve(app))
    yield Host(api)


@asynccontextmanager
async def fastapi_mount(app: ig.App) -> AsyncIterator[Host]:
    api = FastAPI()
    api.mount("/jobs", ig.serve(app, path="/"))
    yield Host(api, "/jobs/")


@asynccontextmanager
async def fastapi_router(app: ig.App) -> AsyncIterator[Host]:
    router = APIRouter(prefix="/internal")
    router.add_route("/internal/inngest", ig.serve(app))
    api = FastAPI()
    api.include_router(router)
    yield Host(api, "/internal/inngest")


@asynccontextmanager
async def starlette_route(app: ig.App) -> AsyncIterator[Host]:
    yield Host(Starlette(routes=[Route("/api/inngest", ig.serve(app))]))


@asynccontextmanager
async def starlette_mount(app: ig.App) -> AsyncIterator[Host]:
    yield Host(Starlette(routes=[Mount("/jobs", routes=[Mount("/inngest", ig.serve(app))])]), "/jobs/inngest/")


class TestFastAPIRoute(Contract):
    framework = "fastapi"
    hosting = fastapi_route


class TestFastAPIMount(Contract):
    framework = "fastapi"
    hosting = fastapi_mount


class TestFastAPIRouter(Contract):
    framework = "fastapi"
    hosting = fastapi_router


class TestStarletteRoute(Contract):
    framework = "starlette"
    hosting = starlette_route


class TestStarletteMount(Contract):
    framework = "starlette"
    hosting = starlette_mount


async def test_an_engine_runs_the_same_app_in_the_lifespan(tmp_path: Path) -> None:
    app = small_app()

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        async with ig.Engine(tmp_path / "shop.db", apps=[app]) as engine:
            api.state.engine = engine
            yield

    api = FastAPI(lifespan=lifespan)
    api.add_route("/api/inngest", ig.serve(app))

    @api.post("/orders")
    async def order() -> list[str]:
        return await app.send(ig.Event("go", {"y": 2}))

    async with api.router.lifespan_context(api), Host(api).client() as http:
        called = await http.post("/api/inngest?fnId=shop-f&stepId=step", content=CALL)
        assert (called.status_code, called.json()) == (200, {"x": 1})  # as a server calls it: no run of the engine's
        [event_id] = (await http.post("/orders")).json()
        with anyio.fail_after(30):
            [run] = await api.state.engine.run(ig.Event("go", {}, id=event_id))  # known already: waits for what it caused
    assert (run.output, run.event.id) == ({"y": 2}, event_id)
