"""Reloading: loads a handler's code anew after it was edited, and finds its app in it.

Loaded anew are the handler's module, the app's, and every module of the user's that those import; not what is installed, nor the running script.
Promises: all or nothing: where the new code cannot be loaded, the old modules are put back and stay in use.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pathlib
import sys
import sysconfig
from types import ModuleType
from typing import Any, Final

from inngest_gen.app.app import App
from inngest_gen.app.function import Function
from inngest_gen.debugger import source
from inngest_gen.driver.fingerprint import fingerprint
from inngest_gen.errors import MisuseError

_INSTALLED: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_OWN: Final = "inngest_gen"


def reloaded(app: App | Function, function: Function) -> App | Function:
    """Give the app or function, made anew by the code as it is in the files now. Raises MisuseError, and whatever the new code raises."""
    old_app = function.app
    home = _home(old_app, function)
    first = [module for module in (home, *_named(function)) if module is not None]
    names = _to_load(first)
    if not names:
        raise MisuseError(f"the code of {function.slug!r} is in no module that can be loaded again: put the handler into a file of its own")
    app_name = None if home is None else next((name for name, value in vars(home).items() if value is old_app), None)
    old = {name: sys.modules[name] for name in names}
    for name, module in old.items():
        _forget(module)
        del sys.modules[name]
    try:
        for name, module in old.items():
            _load(name, module)
        new_app = _found(old_app, home, app_name)
        new = new_app.functions.get(function.id)
        if new is None:
            raise MisuseError(f"the new code has no function {function.id!r} any more")
    except BaseException:
        _put_back(old)
        raise
    return new_app if isinstance(app, App) else new


def _home(app: App, function: Function) -> ModuleType | None:
    """Find the module that has the app as a global: the handler's, if it is that."""
    own = sys.modules.get(getattr(function.handler, "__module__", ""))
    for module in [own, *list(sys.modules.values())]:
        if isinstance(module, ModuleType) and any(value is app for value in list(vars(module).values())) and _is_users(module):
            return module
    return None


def _named(function: Function) -> list[ModuleType]:
    """List the modules of the handler and of what it reaches."""
    names = {getattr(function.handler, "__module__", "")}
    try:
        for name in fingerprint(function):
            parts = name.split(".")
            names |= {".".join(parts[:end]) for end in range(1, len(parts))}
    except TypeError:
        pass
    return [module for name, module in list(sys.modules.items()) if name in names and _is_users(module)]


def _to_load(first: list[ModuleType]) -> list[str]:
    """List the names of the modules to load: the first ones, and those of the user's that they import."""
    names: dict[str, None] = {}
    todo = list(first)
    while todo:
        module = todo.pop()
        name = module.__name__
        if name in names or name == "__main__" or sys.modules.get(name) is not module or not _is_users(module):
            continue
        names[name] = None
        todo += [known for imported in _imports(module) if (known := sys.modules.get(imported)) is not None]
    # In the order in which they were first imported: the importing ones come first, and import the others.
    return [name for name in sys.modules if name in names]


def _imports(module: ModuleType) -> set[str]:
    """Name the modules that a module imports, by its source as it is now, and those whose functions and classes it has."""
    names = {_module_of(value) for value in list(vars(module).values())}
    try:
        tree = ast.parse(pathlib.Path(module.__file__ or "").read_bytes())
    except (OSError, SyntaxError, ValueError):
        return names
    package = module.__package__ or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            try:
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            except ImportError:
                continue
            names |= {base, *(f"{base}.{one.name}" for one in node.names)}
    return names


def _module_of(value: Any) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    if not isinstance(value, type) and not callable(value):
        return ""
    try:
        name = object.__getattribute__(value, "__module__")
    except AttributeError:
        return ""
    return name if isinstance(name, str) else ""


def _is_users(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    name = getattr(module, "__name__", "")
    if not isinstance(module, ModuleType) or not isinstance(file, str) or not file.endswith(".py") or name.partition(".")[0] == _OWN:
        return False
    return not any(file.startswith(f"{place}/") for place in _INSTALLED)


def _forget(module: ModuleType) -> None:
    """Make sure that the file is read: bytecode of the same second and size would be taken for that of the edited file."""
    file = module.__file__
    if file is None:
        return
    source.forget(file)
    try:
        pathlib.Path(importlib.util.cache_from_source(file)).unlink(missing_ok=True)
    except (NotImplementedError, OSError):
        pass


def _load(name: str, old: ModuleType) -> None:
    """Load a module, unless one that was loaded before has imported it."""
    if name in sys.modules:
        return
    importlib.invalidate_caches()
    if _finds(name, old):
        importlib.import_module(name)
        return
    spec = old.__spec__
    if spec is None or spec.loader is None:
        raise MisuseError(f"the module {name!r} cannot be loaded again: nothing is known of where it came from")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _finds(name: str, old: ModuleType) -> bool:
    """Whether an import of this name gives this file: a file that was loaded by its path may have any name."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return False
    return found is not None and found.origin == old.__file__


def _put_back(old: dict[str, ModuleType]) -> None:
    for name in old:
        sys.modules.pop(name, None)
    sys.modules.update(old)
    for name, module in old.items():
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)


def _found(old: App, home: ModuleType | None, name: str | None) -> App:
    new_home = None if home is None else sys.modules.get(home.__name__)
    app = None if new_home is None or name is None else vars(new_home).get(name)
    if not isinstance(app, App):
        raise MisuseError(f"the app {old.id!r} is not to be found in the new code: keep it as a global of its module")
    return app
