"""Intervals by resampling speakers: utterances of one speaker are not independent, so speakers are what is drawn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.emotion.data import confusion_matrix

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure, and the bounds between which ``level`` of its resamples lie."""

    value: float
    low: float
    high: float


def speaker_confusions(
    labels: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    speakers: npt.NDArray[np.object_],
    categories: int,
) -> Floats:
    """One confusion matrix per speaker, shape (speakers, C, C), speakers in sorted order."""
    names = sorted(set(speakers.tolist()))
    return np.stack(
        [
            confusion_matrix(labels[speakers == name], predicted[speakers == name], categories)
            for name in names
        ]
    )


def interval(
    confusions: Floats,
    figure: Callable[[Floats], Floats],
    *,
    seed: int = 0,
    resamples: int = 10_000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a figure (:func:`uar`, :func:`macro_f1`, …) over speakers."""
    draws = _resampled(confusions, seed, resamples)
    return _interval(float(figure(confusions.sum(axis=0))), figure(draws), level)


def paired_interval(
    ours: Floats,
    theirs: Floats,
    figure: Callable[[Floats], Floats],
    *,
    seed: int = 0,
    resamples: int = 10_000,
    level: float = 0.95,
) -> Interval:
    """Interval of ``figure(ours) - figure(theirs)``, the same speakers being drawn for both."""
    if ours.shape != theirs.shape:
        raise ValueError(
            f"paired_interval: confusions of shapes {ours.shape} and {theirs.shape} are not of the same speakers."
        )
    value = float(figure(ours.sum(axis=0)) - figure(theirs.sum(axis=0)))
    gains = figure(_resampled(ours, seed, resamples)) - figure(_resampled(theirs, seed, resamples))
    return _interval(value, gains, level)


def _resampled(confusions: Floats, seed: int, resamples: int) -> Floats:
    speakers = len(confusions)
    weights = np.random.default_rng(seed).multinomial(
        speakers, np.full(speakers, 1 / speakers), size=resamples
    )
    return np.tensordot(weights.astype(np.float64), confusions, axes=1)


def _interval(value: float, draws: Floats, level: float) -> Interval:
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))
