"""Counts the structure of a folder of the package: ``python scripts/structure.py airflow_provider_ghl/load``.

A part is a file of the folder, or a folder in it. An arrow runs from a part to one that it imports, for types too. There are as
many floors as the longest way down has parts.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

__all__ = ["arrows", "floors", "parts"]


def parts(folder: Path) -> dict[str, list[Path]]:
    """The files of each part, by its name."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*.py")):
        if file.name != "__init__.py":
            found.setdefault(file.relative_to(folder).parts[0].removesuffix(".py"), []).append(file)
    return found


def arrows(folder: Path, package: str) -> set[tuple[str, str]]:
    """Which part imports which.

    :param package: the folder's name as a module.
    """
    names = parts(folder)
    found = set()
    for part, files in names.items():
        for file in files:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
                    other = str(node.module).removeprefix(f"{package}.").split(".")[0]
                    if other != part and other in names:
                        found.add((part, other))
    return found


def floors(edges: set[tuple[str, str]], names: list[str]) -> int:
    """How many parts the longest way down has."""

    @cache
    def height(part: str) -> int:
        return 1 + max((height(below) for above, below in edges if above == part), default=0)

    return max(map(height, names))


def main(where: str) -> None:
    """Print the counts."""
    folder = Path(where)
    names = parts(folder)
    edges = arrows(folder, ".".join(folder.parts))
    lines = sum(len(file.read_text().splitlines()) for files in names.values() for file in files)
    sys.stdout.write(
        f"{len(names)} parts on {floors(edges, list(names))} floors, {len(edges)} arrows, "
        f"{sum(map(len, names.values()))} files, {lines} lines\n"
    )


if __name__ == "__main__":
    main(sys.argv[1])
