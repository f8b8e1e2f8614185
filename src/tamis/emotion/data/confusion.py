"""Confusion matrices, and the figures that are read off them: cheap enough to be resampled ten thousand times."""

import numpy as np
import numpy.typing as npt
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix

Floats = npt.NDArray[np.float64]


def confusion_matrix(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], categories: int
) -> Floats:
    """Counts, shape (C, C): rows are true categories, columns predicted ones."""
    counts = multiclass_confusion_matrix(
        torch.from_numpy(predicted), torch.from_numpy(labels), num_classes=categories
    )
    return counts.numpy().astype(np.float64)


def recalls(confusion: Floats) -> Floats:
    """Recall per category, NaN for one without an utterance; (…, C, C) -> (…, C)."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1))


def precisions(confusion: Floats) -> Floats:
    """Precision per category, NaN for one never predicted; (…, C, C) -> (…, C)."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-2))


def f1_scores(confusion: Floats) -> Floats:
    """F1 per category, NaN for one that is neither there nor predicted; (…, C, C) -> (…, C)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _ratio(2 * hits, confusion.sum(axis=-1) + confusion.sum(axis=-2))


def uar(confusion: Floats) -> Floats:
    """Unweighted average recall over the categories that have utterances."""
    mean: Floats = np.nanmean(recalls(confusion), axis=-1)
    return mean


def macro_f1(confusion: Floats) -> Floats:
    """Mean F1 over the categories that are there or are predicted."""
    mean: Floats = np.nanmean(f1_scores(confusion), axis=-1)
    return mean


def accuracy(confusion: Floats) -> Floats:
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1).sum(axis=-1), confusion.sum(axis=(-2, -1)))


def _ratio(over: Floats, under: Floats) -> Floats:
    ratio: Floats = np.divide(over, under, out=np.full(np.shape(over), np.nan), where=np.asarray(under) > 0)
    return ratio
