"""The fences of code in the manual, and what is to be done with each.

A comment before a fence says so, and no reader sees it: ``<!-- run: tasks -->`` or ``<!-- not run: why -->``.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "SNIPPETS", "Snippet", "snippets_of"]

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: The comment, if there is one; the fence, its language and its text. ``{…}`` is one of Sphinx's directives.
_FENCE = re.compile(
    r"^(?: *<!-- (?P<how>run|not run|file): (?P<what>[^\n]+?) -->\n+)? *```(?P<language>[^\n]*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """One fence.

    ``how``: ``run``, with ``what`` saying as what; ``file``, which is written under the name ``what`` for those after it on the
    page; ``not run``, and ``what`` is the reason; ``""``, where the language says it all.
    """

    page: str
    line: int
    language: str
    text: str
    how: str
    what: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def snippets_of(page: Path) -> list[Snippet]:
    """All fences of a page, in order."""
    text = page.read_text()
    return [
        Snippet(
            str(page.relative_to(ROOT)),
            text.count("\n", 0, found.start("language")) + 1,
            found["language"],
            textwrap.dedent(found["text"]),
            found["how"] or "",
            found["what"] or "",
        )
        for found in _FENCE.finditer(text)
        if not found["language"].startswith("{")
    ]


SNIPPETS = [snippet for page in PAGES if page.exists() for snippet in snippets_of(page)]
