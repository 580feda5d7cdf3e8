"""Fixtures of the middleware's tests."""

import pathlib

import pytest


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    """Where a test's engine keeps its file."""
    return tmp_path / "shop.db"
