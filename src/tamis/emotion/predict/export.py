"""A trained recogniser in a folder of its own: what prediction needs of a training run, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from tamis.emotion.predict.ensemble import Ensemble
from tamis.emotion.predict.record import RECOGNISER, WEIGHTS, read_recogniser
from tamis.storage import written_beside


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
    members = [Path(member.weights) for member in read_recogniser(run).members]
    for name in (*members, WEIGHTS, RECOGNISER):  # the description last: with it the folder is whole
        with written_beside(folder / name) as part:
            shutil.copyfile(run / name, part)
    return folder
