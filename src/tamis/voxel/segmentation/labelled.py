"""Labels of scans as files: no two inputs write to one place, files are whole or absent, and nothing is made twice."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from tamis.storage import written_beside
from tamis.voxel.files import PointCloud
from tamis.voxel.pictures import save_page, save_png


@dataclass(frozen=True)
class LabelFiles:
    """Where the labels of one scan go: ``….png``, ``….html`` and, last of all, ``….labels.npz``, which stands for the three.

    Attributes
    ----------
    stem : Path
        Folder and name, without these endings.
    source : str
        What is labelled: the absolute path of a file, or the name of a generated scene.
    """

    stem: Path
    source: str

    def path(self, ending: str) -> Path:
        """One of the files; ``ending`` is "labels.npz", "png" or "html"."""
        return self.stem.with_name(f"{self.stem.name}.{ending}")

    def check(self) -> None:
        """Refuse to write over a file that was not made from this source.

        Raises
        ------
        ValueError
        """
        labels = self.path("labels.npz")
        if not labels.exists():
            return
        other = self._noted("source")
        if other != self.source:
            raise ValueError(
                f"tamis voxel segment: {labels} is there already, made from {other or 'something else'}, and {self.source} would write "
                f"over it. Give another --output, or remove it."
            )

    def made_from(self, fingerprint: str) -> bool:
        """Whether all three files are there, made from a scan and settings with this fingerprint."""
        there = all(self.path(ending).exists() for ending in ("labels.npz", "png", "html"))
        return there and self._noted("made_from") == fingerprint

    def write(self, cloud: PointCloud, labels: Tensor, names: Sequence[str], fingerprint: str) -> None:
        """Write the three files, each whole or absent, the labels last."""
        title = self.stem.name
        save_png(self.path("png"), cloud.points, labels, names, title=title)
        save_page(self.path("html"), cloud.points, labels, names, title=title)
        self.check()
        with written_beside(self.path("labels.npz")) as part, part.open("wb") as file:
            np.savez_compressed(
                file,
                points=cloud.points.numpy(),
                labels=labels.numpy(),
                label_names=np.array(names),
                origin=np.array(cloud.origin),
                metres_per_unit=np.array(cloud.metres_per_unit),
                source=np.array(self.source),
                made_from=np.array(fingerprint),
            )

    def _noted(self, name: str) -> str | None:
        """What the labels say about their making; None where they say nothing, or are no labels of ours."""
        try:
            with np.load(self.path("labels.npz"), allow_pickle=False) as saved:
                return str(saved[name]) if name in saved else None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            return None


def label_files(folder: Path, scans: Sequence[tuple[str, str]]) -> list[LabelFiles]:
    """The files of every scan, after making sure that no two meet.

    Parameters
    ----------
    folder : Path
        Where they are written.
    scans : sequence of (name, source)

    Raises
    ------
    ValueError
        If two scans have one name, or a file of that name was made from another source.
    """
    taken: dict[str, str] = {}
    for name, source in scans:
        if name in taken:
            raise ValueError(
                f"tamis voxel segment: {taken[name]} and {source} would both write {folder / name}.labels.npz. Label "
                f"them one by one, with an --output each."
            )
        taken[name] = source
    found = [LabelFiles(folder / name, source) for name, source in scans]
    for files in found:
        files.check()
    return found
