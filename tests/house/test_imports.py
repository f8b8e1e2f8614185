"""Who may import whom: the rules of ARCHITECTURE.md, held by reading the source."""

import pytest

from .source import FILES, SOURCE, TOP, Import, between_rooms, doors, imports, is_package, rooms

# From top to bottom; a room imports only what stands on a lower line. Rooms on one line do not know each other.
ORDER = [
    {"cli"},
    {"service"},
    {"tour"},
    {"bench"},
    {TOP},
    {"models"},
    {"nn"},
    {"voxel", "emotion"},
    {"ops"},
    {"pruning"},
    {"workloads"},
    {"training"},
    {"inspect"},
    {"pretrained"},
    {"formats"},
    {"kernels"},
    {"tuning"},
    {"report"},
    {"storage"},
]
FLOOR = {room: -line for line, rooms_of_line in enumerate(ORDER) for room in rooms_of_line}
PROGRAMS = {"cli", "service", "tour", "bench"}

# What the order alone would allow.
FORBIDDEN = {
    "voxel": {"pruning"},
    "emotion": {"pruning"},
    "models": {"voxel", "emotion", "pruning"},
    TOP: {"voxel", "emotion"},
    "nn": {"voxel", "emotion"},
    "formats": {"kernels", "tuning"},
}


def is_allowed(importer: str, target: str) -> bool:
    return FLOOR[target] < FLOOR[importer] and target not in FORBIDDEN.get(importer, set())


def is_through_a_door(entry: Import) -> bool:
    """A room, and a folder directly in it, is entered through its ``__init__`` and the names that this lists."""
    module, name = entry.module, entry.name
    if name is not None and is_package(f"{module}.{name}"):
        module, name = f"{module}.{name}", None
    if not is_package(module) or module.count(".") > 2:
        return False
    return name is None or name in doors(module)


def test_every_room_has_its_place() -> None:
    assert rooms() <= FLOOR.keys()


def test_imports_point_downwards() -> None:
    assert not [str(e) for e in between_rooms() if not is_allowed(e.importer, e.target)]


def test_rooms_are_entered_through_their_doors() -> None:
    assert not [str(e) for e in between_rooms() if not is_through_a_door(e)]


def test_nothing_private_crosses_rooms() -> None:
    assert not [
        str(e)
        for e in between_rooms()
        if any(part.startswith("_") and part != "_cpu" for part in f"{e.module}.{e.name or ''}".split("."))
    ]


def test_ops_import_nothing_but_torch_and_numpy() -> None:
    """At module level, beside the standard library and tamis."""
    import sys

    allowed = {"torch", "numpy", "tamis", *sys.stdlib_module_names}
    entries = [e for e in imports() if e.importer == "ops" and e.at_module_level]
    assert len(entries) > 20
    assert not [str(e) for e in entries if e.module.split(".")[0] not in allowed]


def test_only_ops_choose_kernels() -> None:
    """Beside ops, kernels are imported by programs that report on the machine or time one kernel."""
    assert {e.importer for e in between_rooms() if e.target == "kernels"} <= {"ops", *PROGRAMS}


@pytest.mark.parametrize("room", sorted(rooms()))
def test_the_doors_of_a_room_exist(room: str) -> None:
    missing = [
        package
        for package in sorted({path.parent for path in FILES if path.is_relative_to(SOURCE / room)})
        if package.parent == SOURCE and not (package / "__init__.py").is_file()
    ]
    assert not missing
