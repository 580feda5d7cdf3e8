"""A server for the tests of this folder."""

from collections.abc import AsyncIterator

import pytest

from tests.net.server import Server, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running
