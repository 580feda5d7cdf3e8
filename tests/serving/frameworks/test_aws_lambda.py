"""An app as an AWS Lambda function, through Mangum, behind what stands in front of Lambda functions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from mangum import Mangum

import inngest_gen as ig
from tests.serving.frameworks.contract import Contract, Host, Hosting
from tests.serving.frameworks.gateway import Lambda, MakeEvent, binary, http_api, rest_api
from tests.serving.frameworks.sockets import wsgi_server


def behind(event: MakeEvent) -> Hosting:
    @asynccontextmanager
    async def hosting(app: ig.App) -> AsyncIterator[Host]:
        function = Lambda(lambda: Mangum(ig.serve(app), lifespan="off"), event)
        with wsgi_server(function, threads=1) as url:
            yield Host(url)
        await to_thread.run_sync(function.close)

    return hosting


class TestRestAPI(Contract):
    framework = "aws-lambda"
    hosting = behind(rest_api)


class TestRestAPIWithBinaryBodies(Contract):
    framework = "aws-lambda"
    hosting = behind(binary(rest_api))


class TestHttpAPI(Contract):
    framework = "aws-lambda"
    hosting = behind(http_api)


class TestHttpAPIWithBinaryBodies(Contract):
    framework = "aws-lambda"
    hosting = behind(binary(http_api))
