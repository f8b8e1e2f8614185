"""The private file from which a killed run goes on."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from tamis.storage import written_beside


def save_state(path: Path, fingerprint: str, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, strings, lists, dicts) with the fingerprint of the run it belongs to."""
    with written_beside(path) as beside:
        torch.save({"fingerprint": fingerprint, "state": state}, beside)


def load_state(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """Read what :func:`save_state` wrote, or None where there is nothing yet.

    Raises
    ------
    ValueError  if the file is damaged, or belongs to a run with another fingerprint.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state: dict[str, Any] = content["state"]
        written_for = content["fingerprint"]
    except (RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged ({error}); delete it to start this run anew.") from error
    if written_for != fingerprint:
        raise ValueError(
            f"{path} belongs to a run with other settings (fingerprint {written_for!r}, this run has {fingerprint!r}); "
            "choose another folder, or delete this one to start anew."
        )
    return state
