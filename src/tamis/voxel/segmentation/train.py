"""Trains a segmenter on generated streets, through the one loop of :mod:`tamis.training`."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tamis.storage import write_json
from tamis.training import EpochReport, Stage, fit, seeded
from tamis.voxel.scenes import STREET_LABELS, Scene, lidar_street
from tamis.voxel.segmentation.baseline import HeightAndDistance
from tamis.voxel.segmentation.config import SegmentationConfig
from tamis.voxel.segmentation.confusion import Confusion
from tamis.voxel.segmentation.segmenter import Recipe, Segmenter, new_network
from tamis.voxel.segmentation.streets import Batch, StreetBatches, training_street

_CLASSES = len(STREET_LABELS)
_WARM_UP = 0.05
_COUNTED_STREETS = 32
_TEST_SEED = 5_000  # test streets: seeds from here on; validation streets: seeds from 0 on


def train(
    config: SegmentationConfig, folder: Path, progress: Callable[[EpochReport], None] | None = None
) -> tuple[Segmenter, dict[str, Any]]:
    """Train, measure on unseen streets, and write ``segmenter.safetensors`` and ``metrics.json`` into ``folder``.

    A run that was killed goes on where it stood when it is called again with the same arguments.

    Returns
    -------
    segmenter : Segmenter
    metrics : dict
        As from :func:`evaluate`.
    """
    recipe = Recipe(config.network, config.width, config.voxel_size_m, STREET_LABELS, _told(config))
    with seeded(config.seed, "initial weights"):
        network = new_network(recipe)
    settings = json.dumps(asdict(config), sort_keys=True)
    fit(
        network,
        [_stage(config, recipe)],
        folder=folder,
        seed=config.seed,
        fingerprint=settings,
        progress=progress,
    )
    segmenter = Segmenter(recipe, network)
    segmenter.save(folder / "segmenter.safetensors")
    metrics = evaluate(segmenter, config)
    write_json(folder / "metrics.json", metrics)
    return segmenter, metrics


def evaluate(segmenter: Segmenter, config: SegmentationConfig, streets: int = 5) -> dict[str, Any]:
    """IoU on unseen streets of every world and sensor, beside the height-and-distance baseline.

    Returns
    -------
    dict
        Per "world sensor": ``miou``, ``accuracy``, ``baseline_miou`` and ``iou`` by class name, all in 0..1.
    """
    baseline = HeightAndDistance.fit(_counted_streets(config), _CLASSES)
    report: dict[str, Any] = {}
    for world, sensor in itertools.product(config.worlds, config.sensors):
        ours, theirs = _empty(), _empty()
        for seed in range(_TEST_SEED, _TEST_SEED + streets):
            scene = lidar_street(seed, sensor, world)
            ours += Confusion.of(scene.labels, segmenter.predict(scene.points), _CLASSES)
            theirs += Confusion.of(scene.labels, baseline.predict(scene.points), _CLASSES)
        report[f"{world} {sensor}"] = {
            "miou": ours.mean_iou(),
            "accuracy": ours.accuracy(),
            "baseline_miou": theirs.mean_iou(),
            "iou": dict(zip(STREET_LABELS, ours.iou().tolist(), strict=True)),
        }
    return report


def _stage(config: SegmentationConfig, recipe: Recipe) -> Stage:
    weights = _class_weights(config)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        scores = model(batch.voxels).feats
        return cross_entropy(scores, batch.labels, weights.to(scores.device), ignore_index=-1)

    def validate(model: nn.Module) -> dict[str, float]:
        segmenter = Segmenter(recipe, model)  # type: ignore[arg-type]  # Fabric's wrapper calls the network
        seen = sum((_measured(segmenter, scene) for scene in _validation_streets(config)), start=_empty())
        figures = {
            f"iou_{name}": value for name, value in zip(STREET_LABELS, seen.iou().tolist(), strict=True)
        }
        return {"miou": seen.mean_iou(), **figures}

    return Stage(
        "streets",
        config.epochs,
        batches=lambda epoch, generator: StreetBatches(config, epoch, generator),
        loss=loss,
        optimizer=lambda parameters: torch.optim.AdamW(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay
        ),
        schedule=_warm_cosine,
        clip_norm=5.0,
        validate=validate,
        monitor="miou",
        keep="best",
    )


def _warm_cosine(progress: float) -> float:
    if progress < _WARM_UP:
        return 0.1 + 0.9 * progress / _WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP))


def _class_weights(config: SegmentationConfig) -> Tensor:
    """Shares of the classes to a negative power, scaled to a mean of 1 over the points."""
    counts = sum(
        (
            torch.bincount(scene.labels[scene.labels >= 0], minlength=_CLASSES)
            for scene in _counted_streets(config)
        ),
        start=torch.zeros(_CLASSES),
    )
    shares = (counts / counts.sum()).clamp(min=1e-4)
    weights = shares**-config.class_weight_power
    return weights / (weights * shares).sum()


def _counted_streets(config: SegmentationConfig) -> Iterator[Scene]:
    return (training_street(config, number) for number in range(_COUNTED_STREETS))


def _validation_streets(config: SegmentationConfig) -> Iterator[Scene]:
    for world, sensor in itertools.product(config.worlds, config.sensors):
        for seed in range(config.validation_scenes):
            yield lidar_street(seed, sensor, world)


def _measured(segmenter: Segmenter, scene: Scene) -> Confusion:
    return Confusion.of(scene.labels, segmenter.predict(scene.points), _CLASSES)


def _empty() -> Confusion:
    return Confusion(torch.zeros(_CLASSES, _CLASSES + 1, dtype=torch.int64))


def _told(config: SegmentationConfig) -> str:
    streets = config.epochs * config.scenes_per_epoch
    return (
        f"{streets} generated lidar streets (tamis.voxel.scenes.lidar_street; {', '.join(config.worlds)}; "
        f"{', '.join(config.sensors)}), no real scan"
    )
