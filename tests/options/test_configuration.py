"""docs/configuration.md tells every variable and every setting that there is, and no other."""

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping

import inngest_gen as ig
from inngest_gen.options.settings import Settings
from tests.docs.page import ROOT, Page

PAGE = Page.read(ROOT / "docs" / "configuration.md")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.text.splitlines() if line.startswith("| ")][2:]


class Watched(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, **values: str) -> None:
        self.values_ = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("nobody needs to see all variables")

    def __len__(self) -> int:
        raise AssertionError("nobody needs to count variables")


def read() -> set[str]:
    environ = Watched(NETLIFY="set, and yet not Netlify")
    Settings.resolve(environ=environ)
    return environ.asked


def names(column: int) -> set[str]:
    return {name for row in ROWS for name in re.findall(r"`(\w+)`", row[column])}


def test_every_variable_that_is_read_is_told_and_no_other() -> None:
    hosts = PAGE.text.split("## Hosts")[1].split("Not read")[0]
    assert names(0) | (set(re.findall(r"`([A-Z_]+)`", hosts)) - {"INNGEST_ENV"}) == read()


def test_no_variable_that_is_told_as_not_read_is_read() -> None:
    told = set(re.findall(r"`([A-Z_]+)`", PAGE.text.split("Not read")[1]))
    assert told
    assert told & read() == set()


def test_every_setting_is_told() -> None:
    assert names(2) | {"platform"} == {field.name for field in dataclasses.fields(Settings)}


def test_every_argument_of_an_app_is_told() -> None:
    others = set(re.findall(r"`(\w+)`", PAGE.text.split("These arguments are not about the server:")[1].split(";")[0]))
    assert names(1) | others == set(inspect.signature(ig.App).parameters) - {"id"}


def test_defaults_are_those_of_the_code() -> None:
    assert f"`{Settings().api_url}`" in PAGE.text
    assert f"`{Settings().event_url}`" in PAGE.text
    assert f"`{Settings.resolve(dev=True, environ={}).api_url}`" in PAGE.text
