"""The site shows every room, and nothing that does not exist."""

from pathlib import Path

import yaml
from tests.house.source import doors, rooms

ROOT = Path(__file__).parents[2]
PROGRAMS = {"cli", "service", "tour", "bench"}  # used from the command line, not imported
INTERNAL = {"kernels"}  # called by ops only


def pages(entry: object) -> list[str]:
    """The files in a part of the navigation."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in pages(part)]


def navigation() -> list[str]:
    return pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])


def test_every_page_is_in_the_navigation() -> None:
    docs = ROOT / "docs"
    assert {p.relative_to(docs).as_posix() for p in docs.rglob("*.md")} - {"results"} == {
        page for page in navigation() if not page.startswith("results/")
    } | {p.relative_to(docs).as_posix() for p in docs.glob("results/*.md")}


def test_every_room_that_is_imported_has_a_page() -> None:
    shown = {
        page.removeprefix("api/").removesuffix(".md") for page in navigation() if page.startswith("api/")
    }
    assert shown == rooms() - PROGRAMS - INTERNAL | {"tamis"}


def test_every_name_on_an_api_page_is_a_package_with_doors() -> None:
    for page in (ROOT / "docs" / "api").glob("*.md"):
        modules = [
            line.removeprefix("::: ") for line in page.read_text().splitlines() if line.startswith("::: ")
        ]
        assert modules
        assert all(doors(module) for module in modules), page
