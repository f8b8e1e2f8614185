"""``tamis voxel``: train on generated streets, label a scan, profile a scan."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from torch import Tensor

from tamis.storage import written_beside
from tamis.voxel import PointCloud, read_points, scenes
from tamis.voxel import profile as cloud_profile

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
    scene: _Scene,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for labels, picture and page.")
    ] = Path("."),
    weights: Annotated[
        str, typer.Option(help="A segmenter.safetensors, or 'street', which ships with tamis.")
    ] = ("street"),
    seed: _Seed = 0,
    sensor: _SensorOption = "hdl64",
    invalid: _Invalid = "error",
) -> None:
    """Label every point: NAME.labels.npz, a picture NAME.png, and a 3-D page NAME.html that opens offline."""
    from tamis.voxel.pictures import save_page, save_png
    from tamis.voxel.segmentation import Confusion, load_segmenter

    console = Console()
    name, cloud = _cloud(scene, seed, sensor, invalid)
    segmenter = load_segmenter(weights)
    labels = segmenter.predict(_from_sensor(cloud))
    names = segmenter.recipe.label_names
    stem = output / name
    with written_beside(f"{stem}.labels.npz") as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            points=cloud.points.numpy(),
            labels=labels.numpy(),
            label_names=np.array(names),
            origin=np.array(cloud.origin),
        )
    save_png(f"{stem}.png", cloud.points, labels, names, title=name)
    save_page(f"{stem}.html", cloud.points, labels, names, title=name)
    table = Table("class", "points", "share")
    for label, class_name in enumerate(names):
        count = int((labels == label).sum())
        table.add_row(class_name, str(count), f"{count / len(labels):.1%}")
    console.print(table)
    if scene in scenes.WORLD_NAMES and cloud.labels is not None and names == scenes.STREET_LABELS:
        score = Confusion.of(cloud.labels, labels, len(names))
        console.print(f"mIoU against the generator's labels: {score.mean_iou():.3f}")
    console.print(f"weights: {weights}, trained on {segmenter.recipe.trained_on}", soft_wrap=True)
    console.print(f"wrote {stem}.labels.npz, {stem}.png, {stem}.html", soft_wrap=True)


@app.command()
def profile(
    scene: _Scene,
    voxel_size_m: Annotated[float, typer.Option("--voxel-size", help="Metres.")] = 0.05,
    seed: _Seed = 0,
    sensor: _SensorOption = "hdl64",
    invalid: _Invalid = "error",
) -> None:
    """Print voxels, extents, pyramid, neighbour density per L1 distance, and the dataflows a MinkUNet34 would run."""
    _, cloud = _cloud(scene, seed, sensor, invalid)
    measured = cloud_profile(cloud.points, voxel_size_m)
    console = Console()
    console.print(str(measured), soft_wrap=True, highlight=False)
    console.print("\nMinkUNet34 over this cloud:", highlight=False)
    for line, times in Counter(str(measured.network_plan).splitlines()).items():
        console.print(
            f"{times:4d} x {line.strip()}" if line.startswith("  ") else line, soft_wrap=True, highlight=False
        )


def _cloud(
    scene: str, seed: int, sensor: scenes.SensorName, invalid: Literal["error", "drop"]
) -> tuple[str, PointCloud]:
    """Name and points of a file or of a generated street."""
    for world in ("canyon", "suburb"):
        if scene == world:
            street = scenes.lidar_street(seed, sensor, world)
            cloud = PointCloud(street.points, street.features, street.feature_names, street.labels)
            return f"{world}-{sensor}-{seed}", cloud
    if not Path(scene).exists():
        raise FileNotFoundError(
            f"tamis voxel: {scene!r} is no file, and no generated street; those are {', '.join(scenes.WORLD_NAMES)}."
        )
    return Path(scene).name.split(".")[0], read_points(scene, invalid=invalid)


def _from_sensor(cloud: PointCloud) -> Tensor:
    """Points with the sensor at the origin. Survey files do not say where it stood: there, where most points are."""
    if cloud.origin == (0.0, 0.0, 0.0):
        return cloud.points
    return cloud.points - cloud.points.median(0).values * torch.tensor([1.0, 1.0, 0.0])


def _iou_table(metrics: dict[str, Any]) -> Table:
    """One column per kind of street, one line per class, so that it fits a terminal."""
    table = Table("IoU on unseen streets", *metrics)
    for name in scenes.STREET_LABELS:
        table.add_row(name, *(f"{row['iou'][name]:.3f}" for row in metrics.values()))
    table.add_section()
    table.add_row("mean", *(f"{row['miou']:.3f}" for row in metrics.values()))
    table.add_row("height and distance", *(f"{row['baseline_miou']:.3f}" for row in metrics.values()))
    return table
