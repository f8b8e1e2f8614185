"""A trained recogniser in a folder of its own: what prediction needs of a training run, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from tamis.emotion.predict.ensemble import RECOGNISER, WEIGHTS, Ensemble, read_record


def export_recogniser(run: str | Path, folder: str | Path) -> Path:
    """Copy a finished training's recogniser.

    Parameters
    ----------
    run : path
        What ``tamis emotion train`` wrote. It is loaded first, so that nothing broken is exported.
    folder : path
        Must not exist, or be empty.

    Raises
    ------
    ValueError   if ``folder`` holds something.
    """
    run, folder = Path(run), Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"export: {folder} is not empty; choose another folder.")
    Ensemble(run)
    members = [Path(member["weights"]) for member in read_record(run)["members"]]
    for name in (RECOGNISER, WEIGHTS, *members):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / name, folder / name)
    return folder
