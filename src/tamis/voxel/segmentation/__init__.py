"""Semantic segmentation of lidar scans: train on generated streets, label points, measure IoU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamis.voxel.segmentation.confusion import Confusion
from tamis.voxel.segmentation.labelled import LabelFiles, label_files
from tamis.voxel.segmentation.segmenter import Recipe, Segmenter, load_segmenter

if TYPE_CHECKING:
    from tamis.training import EpochReport
    from tamis.voxel.segmentation.config import SegmentationConfig

__all__ = [
    "Confusion",
    "LabelFiles",
    "Recipe",
    "Segmenter",
    "label_files",
    "load_config",
    "load_segmenter",
    "train_segmenter",
]


def load_config(source: str | Path) -> SegmentationConfig:
    """Read a TOML file, or the preset of that name; see :mod:`tamis.voxel.segmentation.config`."""
    from tamis.voxel.segmentation.config import load_config as load  # pydantic

    return load(source)


def train_segmenter(
    config: SegmentationConfig, folder: Path, progress: Callable[[EpochReport], None] | None = None
) -> tuple[Segmenter, dict[str, Any]]:
    """Train, measure on unseen streets, and write the segmenter; see :mod:`tamis.voxel.segmentation.train`."""
    from tamis.voxel.segmentation.train import train  # Lightning Fabric

    return train(config, folder, progress)
