"""What files, folders and rooms are called, and how full a folder may be."""

import pytest

import tamis

from .source import FILES, SOURCE, doors, rooms

DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core"}
FOLDERS = sorted({path.parent for path in FILES})


def test_no_drawers() -> None:
    assert not [path for path in [*FILES, *FOLDERS] if path.stem.strip("_") in DRAWERS]


@pytest.mark.parametrize("package", [".".join(("tamis", *f.relative_to(SOURCE).parts)) for f in FOLDERS])
def test_no_folder_has_the_name_of_a_door(package: str) -> None:
    """``from tamis import prune`` must have one meaning. Folders of ops are meant: their function is re-exported by tamis, not by ops."""
    folder = SOURCE.joinpath(*package.split(".")[1:])
    if not (folder / "__init__.py").is_file():
        return
    inside = {f.name for f in FOLDERS if f.parent == folder}
    assert not {name for name in doors(package) & inside if not _is_module(package, name)}


def _is_module(package: str, name: str) -> bool:
    """A door that is the folder itself, as ``tamis.voxel.scenes``."""
    import importlib
    import types

    return isinstance(getattr(importlib.import_module(package), name), types.ModuleType)


def test_no_room_has_the_name_of_a_public_name() -> None:
    assert not {name for name in rooms() & set(tamis.__all__) if not _is_module("tamis", name)}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(SOURCE)))
def test_no_folder_is_a_warehouse(folder) -> None:
    files = [path for path in FILES if path.parent == folder]
    assert len(files) <= 15
