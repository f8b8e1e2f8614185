"""``tamis voxel``: train on generated streets, label a scan, profile a scan."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from torch import Tensor

from tamis.storage import fingerprint_of_file, fingerprint_of_settings
from tamis.voxel import PointCloud, read_points, scenes
from tamis.voxel import profile as cloud_profile
from tamis.voxel.files import ending_of

if TYPE_CHECKING:
    from tamis.voxel.segmentation import LabelFiles, Segmenter

app = typer.Typer(add_completion=False, help="Point clouds: train, segment, profile.", no_args_is_help=True)

_Scene = Annotated[
    str,
    typer.Argument(
        help="A scan (.bin, .pcd.bin, .ply, .pcd, .las, .laz, .npz), or 'canyon' or 'suburb': a generated street."
    ),
]
_Seed = Annotated[int, typer.Option(help="Of a generated street.")]
_SensorOption = Annotated[scenes.SensorName, typer.Option(help="Of a generated street.")]
_Invalid = Annotated[Literal["error", "drop"], typer.Option(help="What to do with NaN points.")]
_ColumnNames = Annotated[
    str | None,
    typer.Option(
        "--columns", help="Of a .bin file: the names of its float32 columns, such as x,y,z,intensity,ring,_."
    ),
]
_MetresPerUnit = Annotated[
    float | None, typer.Option(help="Of a file that is not in metres and does not say so: 0.3048 for feet.")
]


@app.command()
def train(
    config: Annotated[str | None, typer.Argument(help="TOML file; the keys of SegmentationConfig.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="A configuration that ships with tamis: quick, street.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder; a killed run goes on from there.")
    ] = Path("segmenter"),
    epochs: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
) -> None:
    """Train a MinkUNet on generated streets, and tell its IoU on unseen ones."""
    from tamis.voxel.segmentation import load_config, train_segmenter

    if (config is None) == (preset is None):
        raise ValueError("tamis voxel train: give a configuration file or --preset, one of them.")
    settings = load_config(config or preset or "")
    settings = settings if epochs is None else replace(settings, epochs=epochs)
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("training", total=settings.epochs)

        def told(report: Any) -> None:
            figures = " ".join(f"{name} {value:.3f}" for name, value in report.figures.items())
            bar.update(task, completed=report.epoch)
            console.print(
                f"epoch {report.epoch}/{report.epochs} in {report.seconds:.0f} s: {figures}", soft_wrap=True
            )

        _, metrics = train_segmenter(settings, output, told)
    console.print(_iou_table(metrics))
    console.print(f"wrote {output / 'segmenter.safetensors'} and metrics.json", soft_wrap=True)


@app.command()
def segment(
    scans: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE...",
            help="Scans (.bin, .pcd.bin, .ply, .pcd, .las, .laz, .npz), or 'canyon' or 'suburb': a generated street.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for labels, pictures and pages.")
    ] = Path("."),
    weights: Annotated[
        str, typer.Option(help="A segmenter.safetensors, or 'street', which ships with tamis.")
    ] = ("street"),
    seed: _Seed = 0,
    sensor: _SensorOption = "hdl64",
    invalid: _Invalid = "error",
    columns: _ColumnNames = None,
    metres_per_unit: _MetresPerUnit = None,
) -> None:
    """Label every point: NAME.labels.npz, a picture NAME.png, and a 3-D page NAME.html that opens offline.

    Large scans are labelled in tiles. What an earlier call has finished with the same settings is not made again.
    """
    from tamis.voxel.segmentation import label_files, load_segmenter

    settings = _Reading(seed, sensor, invalid, columns, metres_per_unit)
    found = [_Scan.of(scene, settings) for scene in scans]
    files = label_files(output, [(scan.name, scan.source) for scan in found])
    segmenter = load_segmenter(weights)
    console = Console()
    for scan, written in zip(found, files, strict=True):
        fingerprint = scan.fingerprint(segmenter)
        if written.made_from(fingerprint):
            console.print(f"{scan.name}: labelled already", soft_wrap=True)
        else:
            _label(scan, written, segmenter, fingerprint, console)
    console.print(f"weights: {weights}, trained on {segmenter.recipe.trained_on}", soft_wrap=True)


def _label(scan: _Scan, files: LabelFiles, segmenter: Segmenter, fingerprint: str, console: Console) -> None:
    from tamis.voxel.segmentation import Confusion

    cloud = scan.read()
    truth = cloud.labels if scan.generated else None
    cloud = PointCloud(  # of the features nothing is used, and they are the larger part
        cloud.points, torch.zeros(len(cloud), 0), (), None, cloud.origin, cloud.metres_per_unit
    )
    _check_extent(scan, cloud.points, segmenter.recipe.voxel_size_m)
    steps = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*steps, console=console, transient=True) as bar:
        task = bar.add_task(f"{scan.name}: labels", total=len(cloud))
        labels = segmenter.predict(
            _from_sensor(cloud), progress=lambda done, _: bar.update(task, completed=done)
        )
        bar.update(task, description=f"{scan.name}: files")
        names = segmenter.recipe.label_names
        files.write(cloud, labels, names, fingerprint)
    table = Table("class", "points", "share")
    for label, class_name in enumerate(names):
        count = int((labels == label).sum())
        table.add_row(class_name, str(count), f"{count / len(labels):.1%}")
    console.print(table)
    if truth is not None and tuple(names) == scenes.STREET_LABELS:
        score = Confusion.of(truth, labels, len(names))
        console.print(f"mIoU against the generator's labels: {score.mean_iou():.3f}")
    told = ", ".join(str(files.path(ending)) for ending in ("labels.npz", "png", "html"))
    console.print(f"wrote {told}", soft_wrap=True)


def _check_extent(scan: _Scan, points: Tensor, voxel_size_m: float) -> None:
    """A cloud smaller than one voxel is no scan in metres."""
    extent = (points.amax(0) - points.amin(0)).tolist()
    if len(points) > 1 and max(extent) < voxel_size_m:
        told = " x ".join(f"{length:.3g}" for length in extent)
        raise ValueError(
            f"tamis voxel segment: {scan.source} spans {told} m, less than a voxel of {voxel_size_m:g} m. Coordinates in degrees "
            f"or kilometres? Project the file to metres first, or give --metres-per-unit."
        )


@app.command()
def profile(
    scene: _Scene,
    voxel_size_m: Annotated[float, typer.Option("--voxel-size", help="Metres.")] = 0.05,
    seed: _Seed = 0,
    sensor: _SensorOption = "hdl64",
    invalid: _Invalid = "error",
    columns: _ColumnNames = None,
    metres_per_unit: _MetresPerUnit = None,
) -> None:
    """Print voxels, extents, pyramid, neighbour density per L1 distance, and the dataflows a MinkUNet34 would run."""
    cloud = _Scan.of(scene, _Reading(seed, sensor, invalid, columns, metres_per_unit)).read()
    measured = cloud_profile(cloud.points, voxel_size_m)
    console = Console()
    console.print(str(measured), soft_wrap=True, highlight=False)
    console.print("\nMinkUNet34 over this cloud:", highlight=False)
    for line, times in Counter(str(measured.network_plan).splitlines()).items():
        console.print(
            f"{times:4d} x {line.strip()}" if line.startswith("  ") else line, soft_wrap=True, highlight=False
        )


@dataclass(frozen=True)
class _Reading:
    """How scans are read, or streets generated."""

    seed: int
    sensor: scenes.SensorName
    invalid: Literal["error", "drop"]
    columns: str | None
    metres_per_unit: float | None


@dataclass(frozen=True)
class _Scan:
    """A file or a generated street; nothing is read yet."""

    name: str
    source: str
    generated: scenes.WorldName | None
    reading: _Reading

    @classmethod
    def of(cls, scene: str, reading: _Reading) -> _Scan:
        for world in ("canyon", "suburb"):
            if scene == world:
                name = f"{world}-{reading.sensor}-{reading.seed}"
                return cls(name, f"generated {name}", world, reading)
        path = Path(scene)
        if not path.exists():
            raise FileNotFoundError(
                f"tamis voxel: {scene!r} is no file, and no generated street; those are {', '.join(scenes.WORLD_NAMES)}."
            )
        ending = ending_of(path.name)
        name = (
            path.name if ending is None else path.name[: -len(ending)]
        )  # without one it cannot be read: an error then
        return cls(name, str(path.resolve()), None, reading)

    def read(self) -> PointCloud:
        how = self.reading
        if self.generated is not None:
            street = scenes.lidar_street(how.seed, how.sensor, self.generated)
            return PointCloud(street.points, street.features, street.feature_names, street.labels)
        columns = None if how.columns is None else [name.strip() for name in how.columns.split(",")]
        return read_points(
            self.source, columns=columns, invalid=how.invalid, metres_per_unit=how.metres_per_unit
        )

    def fingerprint(self, segmenter: Segmenter) -> str:
        """Of all that the labels depend on."""
        content = self.source if self.generated is not None else fingerprint_of_file(self.source)
        return fingerprint_of_settings(
            {"content": content, "reading": asdict(self.reading), "segmenter": segmenter.fingerprint()}
        )


def _from_sensor(cloud: PointCloud) -> Tensor:
    """Points with the sensor at the origin. Survey files do not say where it stood: there, where most points are."""
    if cloud.origin == (0.0, 0.0, 0.0):
        return cloud.points
    return cloud.points - torch.stack(
        [*(cloud.points[:, axis].median() for axis in (0, 1)), torch.tensor(0.0)]
    )


def _iou_table(metrics: dict[str, Any]) -> Table:
    """One column per kind of street, one line per class, so that it fits a terminal."""
    table = Table("IoU on unseen streets", *metrics)
    for name in scenes.STREET_LABELS:
        table.add_row(name, *(f"{row['iou'][name]:.3f}" for row in metrics.values()))
    table.add_section()
    table.add_row("mean", *(f"{row['miou']:.3f}" for row in metrics.values()))
    table.add_row("height and distance", *(f"{row['baseline_miou']:.3f}" for row in metrics.values()))
    return table
