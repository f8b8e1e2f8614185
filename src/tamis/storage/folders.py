"""What lies below a folder, the same way for whoever reads folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

NOT_FOLLOWED = "__MACOSX"


def files_below(folder: Path) -> list[Path]:
    """All files below ``folder``, sorted by path; symbolic links are followed, and no folder is entered twice.

    Hidden files and folders (macOS's ``._x.wav``, ``__MACOSX``) are left out.
    """
    entered: set[tuple[int, int]] = set()
    found: list[Path] = []
    for here, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        place = os.stat(here)
        if (place.st_dev, place.st_ino) in entered:
            folders.clear()
            continue
        entered.add((place.st_dev, place.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != NOT_FOLLOWED)
        found += [Path(here, name) for name in names if not name.startswith(".")]
    return sorted(found)


def refuse(error: OSError) -> NoReturn:
    """A folder that cannot be listed stops the reading: what is read without it would look whole."""
    raise error
