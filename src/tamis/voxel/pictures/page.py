"""An interactive 3-D page of labelled points: one HTML file that needs no network and no graphics driver."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from torch import Tensor

from tamis.report import application
from tamis.storage import write_text
from tamis.voxel.pictures.colours import UNLABELLED, label_colours

_MOST_POINTS = 400_000  # 7 bytes each: a page stays below 4 MB


def save_page(
    path: str | Path, points: Tensor, labels: Tensor, names: Sequence[str], *, title: str = ""
) -> None:
    """Write a page that turns, moves and zooms a cloud, and shows or hides each class.

    Positions are rounded to 1/65,535 of the cloud's size. Clouds of more than 400,000 points are thinned evenly, and
    the page says so.

    Parameters
    ----------
    points : Tensor, shape (N, 3)
    labels : Tensor, shape (N,)
        Index into ``names`` (at most 255 of them); -1 is shown grey.
    """
    step = -(-len(points) // _MOST_POINTS) or 1
    xyz, classes = points[::step].double().numpy(), labels[::step].numpy()
    low = xyz.min(0) if len(xyz) else np.zeros(3)
    size = float((xyz.max(0) - low).max()) if len(xyz) else 1.0
    cells = np.rint((xyz - low) / max(size, 1e-9) * 65535).astype("<u2")
    colours = [*label_colours(names), UNLABELLED]
    cloud = {
        "count": len(xyz),
        "of": len(points),
        "low": low.tolist(),
        "size": size,
        "names": [*names, "unlabelled"],
        "colours": colours,
        "positions": base64.b64encode(cells.tobytes()).decode(),
        "labels": base64.b64encode(
            np.where(classes < 0, len(names), classes).astype(np.uint8).tobytes()
        ).decode(),
    }
    template = (files("tamis.voxel.pictures") / "page.html").read_text("utf-8")
    write_text(path, application(title, template, cloud=cloud))
