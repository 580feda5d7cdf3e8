"""Outline: the steps of a run as a tree of branches and sub-flows, from their paths ("parallel[1]/quote"); and its guides.

A group or sub-flow that comes again after something else is a node of its own. Two of one name that follow each other directly cannot be told
apart by their paths and share a node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

_PART = re.compile(r"\[[^\]]*\]|[^\[\]]+")


@dataclass(slots=True)
class Branch(Generic[T]):
    """A group ("parallel"), one of its branches ("[1]") or a sub-flow ("quote"), with what is in it."""

    label: str
    children: list[Branch[T] | T] = field(default_factory=list)


def outline(leaves: Iterable[tuple[str, T]]) -> list[Branch[T] | T]:
    """Build the tree from (path, leaf) pairs in the order of their positions."""
    root: Branch[T] = Branch("")
    for path, leaf in leaves:
        node = root
        for part in parts(path):
            node = _child(node, part)
        node.children.append(leaf)
    _sort(root)
    return root.children


def _sort(node: Branch[T]) -> None:
    """Put the numbered branches of groups in order: those that waited longer came later."""
    keys = [child.label[1:-1] if isinstance(child, Branch) and child.label.startswith("[") else "" for child in node.children]
    if keys and all(key.isdigit() for key in keys):
        node.children = [child for _, child in sorted(zip(keys, node.children, strict=True), key=lambda pair: int(pair[0]))]
    for child in node.children:
        if isinstance(child, Branch):
            _sort(child)


def parts(path: str) -> list[str]:
    """Split a path: "parallel[1]/quote" is "parallel", "[1]", "quote"."""
    return [part for segment in path.split("/") if segment for part in _PART.findall(segment)]


def _child(node: Branch[T], label: str) -> Branch[T]:
    # Branches of one group take turns; anything else is over once something follows it.
    candidates = node.children if label.startswith("[") else node.children[-1:]
    for child in candidates:
        if isinstance(child, Branch) and child.label == label:
            return child
    made: Branch[T] = Branch(label)
    node.children.append(made)
    return made


def merged(branch: Branch[T]) -> tuple[str, list[Branch[T] | T], T | None]:
    """Give a branch's label, children and (where it is nothing but one leaf) that leaf: "[1]" with only "quote" in it is one line."""
    label = branch.label
    children = branch.children
    while len(children) == 1:
        only = children[0]
        if not isinstance(only, Branch):
            return (label, [], only) if branch.label.startswith("[") else (label, children, None)
        if not label.startswith("["):
            break
        label = f"{label} {only.label}"
        children = only.children
        branch = Branch(only.label)
    return label, children, None


def guides(depths: Sequence[int]) -> Iterator[str]:
    """Give the lines of a tree before each row, from the rows' depths; depth 0 has none."""
    for place, depth in enumerate(depths):
        text = ""
        for level in range(1, depth + 1):
            last = _is_last(depths, place, level)
            if level == depth:
                text += "└─ " if last else "├─ "
            else:
                text += "   " if last else "│  "
        yield text


def _is_last(depths: Sequence[int], place: int, level: int) -> bool:
    """Whether no further row at `level` follows under the same parent."""
    for depth in depths[place + 1 :]:
        if depth < level:
            return True
        if depth == level:
            return False
    return True
