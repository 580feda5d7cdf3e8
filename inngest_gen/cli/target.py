"""MODULE:APP on the command line -> the App, and MODULE:FUNCTION -> the function.

MODULE is a dotted module, looked for in the current directory first, or the path of a file. Without :APP the module's only App is taken.
Promises: what the user's own code raises is shown with its traceback, without frames of this package and of the import system.
Refuses: in one line, what is not there; with the Apps that are.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pathlib
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from inngest_gen.app.app import App
from inngest_gen.cli.refusal import Refusal

_OWN = str(pathlib.Path(__file__).parent.parent) + os.sep


def load(target: str) -> App:
    """Import the module and give its App. Raises Refusal."""
    module_name, _, app_name = target.partition(":")
    if not module_name:
        raise Refusal(f"{target!r} names no module: write MODULE:APP, such as shop:app or examples/shop.py:app")
    return _app(_imported(module_name), module_name, app_name)


def load_function(target: str) -> Callable[..., Any]:
    """Import MODULE of MODULE:FUNCTION and give the function. Raises Refusal."""
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise Refusal(f"{target!r} names no function: write MODULE:FUNCTION, such as shop.privacy:hide or privacy.py:hide")
    found = vars(_imported(module_name)).get(name)
    if not callable(found):
        raise Refusal(f"{module_name} has no function {name!r}")
    function: Callable[..., Any] = found
    return function


def directories(target: str) -> list[pathlib.Path]:
    """List the directories whose code the target is made of: the current one, and the one of a file elsewhere."""
    here = pathlib.Path.cwd()
    module_name = target.partition(":")[0]
    if not _is_file(module_name):
        return [here]
    directory = pathlib.Path(module_name).resolve().parent
    return [here] if directory.is_relative_to(here) else [here, directory]


def _imported(module_name: str) -> ModuleType:
    here = str(pathlib.Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return _module(module_name)


def _is_file(module_name: str) -> bool:
    return module_name.endswith(".py") or os.sep in module_name


def _module(name: str) -> ModuleType:
    try:
        if _is_file(name):
            return _import_file(pathlib.Path(name))
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # a module which the user's module imports
            raise Refusal(f"there is no module {name!r} here or among the installed ones") from None
        except (ValueError, TypeError):
            if name.strip(".") == name and name.replace(".", "").isidentifier():
                raise
            raise Refusal(f"{name!r} is no module's name: write MODULE:APP, such as shop:app or examples/shop.py:app") from None
    except Refusal:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises
        raise Refusal(f"{name} does not load: {_first_line(error)}", details=_user_traceback(error)) from None
    except SystemExit as error:
        raise Refusal(f"{name} does not load: it ends the process (SystemExit: {error})", details=_user_traceback(error)) from None


def _import_file(path: pathlib.Path) -> ModuleType:
    if not path.is_file():
        raise Refusal(f"there is no file {path}")
    path = path.resolve()
    root, parts = path.parent, [path.stem]
    while (root / "__init__.py").is_file() and root != root.parent:  # a module of a package: its relative imports must work
        parts.insert(0, root.name)
        root = root.parent
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    if len(parts) > 1:
        return importlib.import_module(".".join(parts))
    # By path, not by name: `queue.py` is the user's file, whatever else is called queue.
    name = path.stem
    taken = sys.modules.get(name)
    if (taken is not None and taken.__file__ != str(path)) or name in sys.stdlib_module_names:
        name = f"app_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Refusal(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _app(module: ModuleType, module_name: str, app_name: str) -> App:
    apps = {name: value for name, value in vars(module).items() if isinstance(value, App)}
    known = ", ".join(f"{module_name}:{name}" for name in apps)
    if not app_name:
        distinct = {id(app): app for app in apps.values()}
        if len(distinct) == 1:
            return next(iter(distinct.values()))
        if not distinct:
            raise Refusal(f"{module_name} has no App: make one with `app = inngest_gen.App(...)`")
        raise Refusal(f"{module_name} has {len(distinct)} Apps: say which: {known}")
    found = vars(module).get(app_name)
    if isinstance(found, App):
        return found
    there = f"its Apps: {known}" if apps else "and it has no App at all"
    if app_name not in vars(module):
        raise Refusal(f"{module_name} has no {app_name!r}; {there}")
    raise Refusal(f"{module_name}:{app_name} is no App, its type is {type(found).__name__}; {there}")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _user_traceback(error: BaseException) -> str:
    described = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = described
    while link is not None:
        link.stack = traceback.StackSummary.from_list(
            [frame for frame in link.stack if not frame.filename.startswith((_OWN, "<frozen importlib"))]
        )
        link = link.__cause__ or link.__context__
    return "".join(described.format()).rstrip("\n")
