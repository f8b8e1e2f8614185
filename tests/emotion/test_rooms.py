"""The rooms of emotion: imports point downwards and go through the doors."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

EMOTION = Path(__file__).parents[2] / "src" / "tamis" / "emotion"
# From bottom to top.
ORDER = ("signal", "corpora", "data", "streams", "network", "predict", "train", "evaluation")
APART = {("network", "streams"), ("train", "streams"), ("train", "signal"), ("network", "signal")}


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """(module below tamis.emotion, name) of every import in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tamis.emotion"):
            for alias in node.names:
                yield (node.module or "").removeprefix("tamis.emotion").removeprefix("."), alias.name


def doors(room: str) -> set[str]:
    tree = ast.parse((EMOTION / room / "__init__.py").read_text())
    (names,) = [n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "__all__"]
    return set(ast.literal_eval(names))


def test_every_room_has_its_place() -> None:
    assert {p.parent.name for p in EMOTION.glob("*/__init__.py")} == set(ORDER)
    assert [p.name for p in EMOTION.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("room", ORDER)
def test_a_room_enters_lower_rooms_by_their_doors(room: str) -> None:
    files = sorted((EMOTION / room).rglob("*.py"))
    assert files
    for path in files:
        for module, name in imported(path):
            target, *inside = module.split(".")
            if target == room:
                continue
            assert ORDER.index(target) < ORDER.index(room), f"{path} imports {module} above it"
            assert (room, target) not in APART, f"{path} imports {module}"
            assert not inside, f"{path} imports {module}, which is inside {target}"
            assert name in doors(target), f"{path} imports {name}, which is no door of {target}"
