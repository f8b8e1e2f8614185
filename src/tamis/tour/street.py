"""A generated street, labelled by the segmenter that ships with tamis: the tour's point cloud."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tamis.tuning import time_interleaved
from tamis.voxel.pictures import save_page, save_png
from tamis.voxel.scenes import SensorName, WorldName, lidar_street
from tamis.voxel.segmentation import Confusion, load_segmenter

FIRST_SEED = 7_000  # seeds from 10,000 on were trained on, those below 6,000 validated and tested
_WORLD: WorldName = "canyon"
_SENSOR: SensorName = "hdl64"


@dataclass(frozen=True)
class Street:
    """What the segmenter made of one scan that it had not seen.

    Attributes
    ----------
    name : str
    points, voxels : int
    voxel_size_m : float
    network : str
        Architecture, and its width.
    ms, plan_ms : float
        From raw points to a label for each; and of that, finding the voxels, their levels and kernel maps.
    iou : dict
        Class name -> intersection over union with the generator's labels, for the classes that occur.
    trained_on : str
    page : Path
        The cloud in 3-D, beside the tour's page.
    picture : Path or None
        PNG; None where matplotlib is not installed.
    """

    name: str
    points: int
    voxels: int
    voxel_size_m: float
    network: str
    ms: float
    plan_ms: float
    iou: dict[str, float]
    trained_on: str
    page: Path
    picture: Path | None

    @property
    def mean_iou(self) -> float:
        return sum(self.iou.values()) / len(self.iou)


def label_street(seed: int, stem: Path, *, budget_s: float = 2.0) -> Street:
    """Generate street ``seed``, label and time it, and write ``stem`` + ``.html`` and ``.png``."""
    scene = lidar_street(FIRST_SEED + seed, _SENSOR, _WORLD)
    segmenter = load_segmenter("street")
    recipe = segmenter.recipe
    labels = segmenter.predict(scene.points)
    timings = time_interleaved(
        {"label": lambda: segmenter.predict(scene.points), "plan": lambda: segmenter.plan(scene.points)},
        budget_s=budget_s,
    )
    iou = Confusion.of(scene.labels, labels, len(recipe.label_names)).iou().tolist()
    name = f"{_WORLD}-{_SENSOR}-{FIRST_SEED + seed}"
    page, picture = stem.with_name(f"{stem.name}.html"), stem.with_name(f"{stem.name}.png")
    page.parent.mkdir(parents=True, exist_ok=True)
    save_page(page, scene.points, labels, recipe.label_names, title=name)
    drawn = find_spec("matplotlib") is not None
    if drawn:
        save_png(picture, scene.points, labels, recipe.label_names, title=name)
    return Street(
        name=name,
        points=len(labels),
        voxels=len(segmenter.plan(scene.points).coords),
        voxel_size_m=recipe.voxel_size_m,
        network=f"{recipe.network}, width {recipe.width:g}",
        ms=timings["label"].median_us / 1e3,
        plan_ms=timings["plan"].median_us / 1e3,
        iou={known: value for known, value in zip(recipe.label_names, iou, strict=True) if value == value},
        trained_on=recipe.trained_on,
        page=page,
        picture=picture if drawn else None,
    )
