"""The README as a door: short, and every link in the manual leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from snippets import PAGES, ROOT

LONGEST = 180
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """A page without its fences."""
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Those that forges and Sphinx make of headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(prose(page))}


def test_it_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {link.partition("#")[0] for link in _LINK.findall(prose(ROOT / "README.md"))}
    pages = {str(page.relative_to(ROOT)) for page in PAGES} - {"README.md", "docs/index.md"}
    assert pages <= linked
