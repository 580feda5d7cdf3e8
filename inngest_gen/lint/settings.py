"""Settings: which rules are looked for in which files, as the command line and `[tool.inngest-gen.lint]` in pyproject.toml say."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from inngest_gen.errors import ConfigError
from inngest_gen.lint.files import matches
from inngest_gen.lint.rules.all import RULES

_KEYS = {"select", "ignore", "exclude", "per-file-ignores"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`select` and `ignore` are codes or their beginnings ("IGN1"), `exclude` glob patterns; `per_file_ignores` maps glob patterns to codes.

    Patterns are seen from `root`, the folder of pyproject.toml. No `select` means every rule. Raises ConfigError for a code of no rule.
    """

    root: Path = field(default_factory=Path.cwd)
    select: Sequence[str] = ()
    ignore: Sequence[str] = ()
    exclude: Sequence[str] = ()
    per_file_ignores: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for code in (*self.select, *self.ignore, *(code for codes in self.per_file_ignores.values() for code in codes)):
            if not any(known.startswith(code) for known in RULES) or not code:
                raise ConfigError(f"no rule's code begins with {code!r}; there are {', '.join(RULES)}")

    def rules(self, path: Path) -> list[str]:
        """List the codes that are looked for in a file."""
        ignored = list(self.ignore)
        for pattern, codes in self.per_file_ignores.items():
            if matches(path, [pattern], self.root):
                ignored += codes
        return [code for code in RULES if _begins(code, self.select or RULES) and not _begins(code, ignored)]

    def given(self, *, select: Sequence[str], ignore: Sequence[str], exclude: Sequence[str]) -> Settings:
        """Add what the command line says: its `select` is instead of the file's, the others are besides."""
        return replace(self, select=select or self.select, ignore=(*self.ignore, *ignore), exclude=(*self.exclude, *exclude))

    @classmethod
    def near(cls, folder: Path) -> Settings:
        """Read the settings in the nearest pyproject.toml, of `folder` or above it. Raises ConfigError for what is no setting."""
        for parent in (folder, *folder.parents):
            file = parent / "pyproject.toml"
            if file.is_file():
                return _read(file)
        return cls(root=folder)


def _begins(code: str, beginnings: Iterable[str]) -> bool:
    return any(code.startswith(beginning) for beginning in beginnings)


def _read(file: Path) -> Settings:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    table: object = document
    for key in ("tool", "inngest-gen", "lint"):
        table = table.get(key, {}) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        raise ConfigError(f"[tool.inngest-gen.lint] in {file} is no table")
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        raise ConfigError(f"[tool.inngest-gen.lint] in {file} has {', '.join(unknown)}; there are {', '.join(sorted(_KEYS))}")
    lists = {key: _texts(table.get(key, []), key, file) for key in ("select", "ignore", "exclude")}
    per_file = table.get("per-file-ignores", {})
    if not isinstance(per_file, dict):
        raise ConfigError(f"[tool.inngest-gen.lint] in {file}: per-file-ignores is a table of patterns, each with a list of codes")
    ignores = {pattern: _texts(codes, "per-file-ignores", file) for pattern, codes in per_file.items()}
    return Settings(root=file.parent, per_file_ignores=ignores, **lists)


def _texts(value: object, key: str, file: Path) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"[tool.inngest-gen.lint] in {file}: {key} holds lists of strings, not {value!r}")
    return value
