"""The source of tamis as a list of imports: who imports what from which room."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "tamis"
FILES = sorted(SOURCE.rglob("*.py"))
TOP = "tamis"  # the public names in src/tamis/__init__.py, which stand above every room but the programs


@dataclass(frozen=True)
class Import:
    """One imported name: ``from tamis.formats import CSR`` is (``tamis.formats``, ``CSR``); ``import tamis.voxel`` has no name."""

    path: Path
    line: int
    module: str
    name: str | None
    at_module_level: bool

    @property
    def importer(self) -> str:
        return room_of(self.path)

    @property
    def target(self) -> str:
        """The room that the import enters."""
        return room_of_module(self.module if self.name is None else f"{self.module}.{self.name}")

    def __str__(self) -> str:
        what = self.module if self.name is None else f"{self.name} from {self.module}"
        return f"{self.path.relative_to(SOURCE)}:{self.line} imports {what}"


def room_of(path: Path) -> str:
    inside = path.relative_to(SOURCE).parts
    return inside[0] if len(inside) > 1 else TOP


def room_of_module(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (SOURCE / parts[1]).is_dir() else TOP


def rooms() -> set[str]:
    return {room_of(path) for path in FILES} - {TOP}


def is_package(module: str) -> bool:
    return SOURCE.joinpath(*module.split(".")[1:], "__init__.py").is_file()


@cache
def imports() -> tuple[Import, ...]:
    """Every import statement of the source, those inside functions included."""
    return tuple(entry for path in FILES for entry in _imports_of(path))


@cache
def doors(module: str) -> frozenset[str]:
    """``__all__`` of a package; empty if it has none."""
    path = SOURCE.joinpath(*module.split(".")[1:], "__init__.py")
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return frozenset(ast.literal_eval(node.value))
    return frozenset()


def between_rooms() -> list[Import]:
    return [
        entry
        for entry in imports()
        if entry.module.split(".")[0] == "tamis" and entry.target != entry.importer
    ]


def _imports_of(path: Path) -> list[Import]:
    tree = ast.parse(path.read_text())
    found = []
    for node in ast.walk(tree):
        top = node in tree.body
        if isinstance(node, ast.Import):
            found += [Import(path, node.lineno, alias.name, None, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module if node.level == 0 else _absolute(path, node)
            found += [Import(path, node.lineno, str(module), alias.name, top) for alias in node.names]
    return found


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    package = ["tamis", *path.relative_to(SOURCE).parent.parts]
    parents = package[: len(package) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])
