"""MODULE:APP, from the command line to an App."""

import pathlib
import sys
from collections.abc import Callable

import pytest

from inngest_gen.cli.refusal import Refusal
from inngest_gen.cli.target import directories, load

Write = Callable[[str, str], pathlib.Path]

APP = "import inngest_gen as ig\napp = ig.App('{}')\n"


@pytest.fixture
def write(home: pathlib.Path) -> Write:
    def write(name: str, text: str) -> pathlib.Path:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def refusal(target: str) -> Refusal:
    with pytest.raises(Refusal) as refused:
        load(target)
    assert "\n" not in str(refused.value)
    return refused.value


@pytest.mark.parametrize("target", ["t_shop:app", "t_shop.py:app", "./t_shop.py:app", "t_shop", "t_shop.py"])
def test_a_module_here_or_a_file(write: Write, target: str) -> None:
    write("t_shop.py", APP.format("shop"))
    assert load(target).id == "shop"


def test_a_module_of_a_package_imports_its_relatives(write: Write) -> None:
    write("t_pkg/__init__.py", "")
    write("t_pkg/names.py", "NAME = 'relative'")
    write("t_pkg/sub/__init__.py", "")
    write("t_pkg/sub/shop.py", "import inngest_gen as ig\nfrom ..names import NAME\napp = ig.App(NAME)\n")
    assert load("t_pkg/sub/shop.py:app").id == "relative"
    assert load("t_pkg.sub.shop:app").id == "relative"


def test_a_file_elsewhere_imports_its_neighbours_only_from_here(write: Write, home: pathlib.Path) -> None:
    write("t_elsewhere/t_neighbour.py", "NAME = 'near'")
    path = write("t_elsewhere/t_shop2.py", "import inngest_gen as ig\nfrom t_neighbour import NAME\napp = ig.App(NAME)\n")
    assert load(f"{path}:app").id == "near"


def test_a_file_with_the_name_of_a_library_is_that_file_and_shadows_nothing(write: Write) -> None:
    import queue

    write("queue.py", APP.format("mine"))
    assert load("queue.py:app").id == "mine"
    assert sys.modules["queue"] is queue


def test_classes_of_a_file_find_their_module(write: Write) -> None:
    write("t_typed.py", APP.format("typed") + "from dataclasses import dataclass\n@dataclass\nclass Order:\n    id: 'str'\n")
    load("t_typed.py:app")
    assert sys.modules["t_typed"].Order.__module__ == "t_typed"


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("", "'' names no module: write MODULE:APP"),
        (":app", "':app' names no module"),
        ("t_nowhere:app", "there is no module 't_nowhere' here or among the installed ones"),
        ("t_two.t_below:app", "there is no module 't_two.t_below'"),
        ("t_nowhere.py:app", "there is no file t_nowhere.py"),
        (".t_two:app", "'.t_two' is no module's name"),
        ("no-name:app", "there is no module 'no-name'"),
        ("t_two:ap", "t_two has no 'ap'; its Apps: t_two:a, t_two:b"),
        ("t_two:x", "t_two:x is no App, its type is int; its Apps: t_two:a, t_two:b"),
        ("t_two.py", "t_two.py has 2 Apps: say which: t_two.py:a, t_two.py:b"),
        ("t_none", "t_none has no App: make one with `app = inngest_gen.App(...)`"),
        ("t_none:app", "t_none has no 'app'; and it has no App at all"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(write: Write, target: str, line: str) -> None:
    write("t_two.py", "import inngest_gen as ig\na = ig.App('a')\nb = ig.App('b')\nx = 3\n")
    write("t_none.py", "x = 3\n")
    refused = refusal(target)
    assert line in str(refused)
    assert refused.details is None


def test_one_app_under_two_names_is_one(write: Write) -> None:
    write("t_alias.py", APP.format("one") + "also = app\n")
    assert load("t_alias").id == "one"


def test_names_that_are_no_identifiers(write: Write) -> None:
    write("t-dashed.py", APP.format("x"))
    assert load("t-dashed.py:app").id == "x"
    assert load("t-dashed:app").id == "x"


@pytest.mark.parametrize(
    ("text", "line", "seen"),
    [
        ("def f():\n    raise KeyError('gone')\nf()\n", "KeyError: 'gone'", ["line 2, in f", "KeyError: 'gone'"]),
        ("import t_missing_library\n", "ModuleNotFoundError: No module named 't_missing_library'", ["line 1, in <module>"]),
        ("def f(:\n", "SyntaxError: invalid syntax", ["line 1", "def f(:"]),
        ("raise ValueError('two\\nlines')\n", "ValueError: two", ["ValueError: two\nlines"]),
        ("raise ValueError\n", "does not load: ValueError", ["ValueError"]),
        ("raise SystemExit(3)\n", "it ends the process (SystemExit: 3)", ["line 1"]),
        (
            "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise OSError('x') from e\n",
            "OSError: x",
            ["ZeroDivisionError", "direct cause"],
        ),
        (
            APP.format("a") + "@app.function('f', retries=99)\nasync def f(ctx): yield\n",
            "ConfigError: the retries of function 'f'",
            ["line 3, in <module>"],
        ),
    ],
)
@pytest.mark.parametrize("target", ["t_broken:app", "t_broken.py:app"])
def test_the_users_own_errors_come_with_their_traceback_alone(write: Write, target: str, text: str, line: str, seen: list[str]) -> None:
    write("t_broken.py", text)
    refused = refusal(target)
    assert line in str(refused)
    assert refused.details is not None
    for part in seen:
        assert part in refused.details
    assert "inngest_gen/" not in refused.details
    assert "frozen" not in refused.details


def test_ctrl_c_while_it_loads_is_no_error_of_the_module(write: Write) -> None:
    write("t_interrupted.py", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load("t_interrupted.py")


def test_where_the_code_is(home: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert directories("shop:app") == [home]
    assert directories("sub/shop.py:app") == [home]
    assert directories(f"{elsewhere}/shop.py:app") == [home, elsewhere]
