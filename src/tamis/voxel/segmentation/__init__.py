"""Semantic segmentation of lidar scans: train on generated streets, label points, measure IoU."""

from tamis.voxel.segmentation.segmenter import Recipe, Segmenter, load_segmenter

__all__ = ["Recipe", "Segmenter", "load_segmenter"]
