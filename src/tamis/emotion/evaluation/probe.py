"""Linear probes: how far the cached features go without a network. An ensemble that does not beat them is not worth its cost."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from tamis.emotion.data import (
    FeatureSet,
    Predictions,
    Rows,
    StreamView,
    TrainingData,
    confusion_matrix,
    pack_stream,
    uar,
)
from tamis.emotion.train import Config

Floats = npt.NDArray[np.float64]
RIDGES = (0.3, 1.0, 3.0, 10.0)
INVERSE_PENALTIES = (3e-4, 3e-3, 3e-2)


def probe_streams(features: FeatureSet) -> dict[str, tuple[StreamView, ...]]:
    """What is probed: mean and deviation of every layer of every stream, of all layers, and of everything."""
    probed: dict[str, tuple[StreamView, ...]] = {}
    for name, info in features.streams.items():
        for layer in range(info.layers or 0):
            probed[f"{name}/{layer}"] = (StreamView(name, layer, "statistics"),)
        probed[name] = (StreamView(name, "joined", "statistics"),)
    if len(features.streams) > 1:
        probed["everything"] = tuple(StreamView(name, "joined", "statistics") for name in features.streams)
    return probed


def ridge_probe(
    config: Config, data: TrainingData, streams: Sequence[StreamView], frames: Path
) -> Predictions:
    """Ridge regression to one-hot labels, its strength chosen on the training rows' own speaker folds.

    Learns from the same rows as the members, augmented variants included, and predicts the test rows as they do: as the mean over
    their variants. Solved in the dual, so that the width of the features does not matter.
    """
    x = _statistics(config, streams, frames)
    train = data.train[data.consensus[data.train] >= 0]
    folds = data.folds[data.consensus[data.train] >= 0]
    strength = max(RIDGES, key=lambda ridge: _inner_uar(x, data, train, folds, ridge))
    wanted = np.concatenate([rows[data.test] for rows in data.variant_rows])
    scores = _ridge(x, data, train, wanted, strength)
    return _predictions(data, scores.reshape(len(data.variant_rows), len(data.test), -1).mean(axis=0))


def logistic_probe(
    config: Config, data: TrainingData, streams: Sequence[StreamView], frames: Path
) -> Predictions:
    """Multinomial logistic regression, learnt and measured on original recordings, its penalty chosen on their speaker folds."""
    x = _statistics(config, streams, frames)
    usable = data.original[data.train] & (data.consensus[data.train] >= 0)
    train, folds = data.train[usable], data.folds[usable]

    def fitted(rows: Rows, wanted: Rows, penalty: float) -> Floats:
        a, b = _standardised(x, rows, wanted)
        model = LogisticRegression(C=penalty, max_iter=300).fit(a, data.consensus[rows])
        p = np.zeros((len(wanted), len(data.categories)))
        p[:, model.classes_] = model.predict_proba(b)
        return p

    def inner(penalty: float) -> float:
        p = np.zeros((len(train), len(data.categories)))
        for fold in range(config.splits.folds):
            p[folds == fold] = fitted(train[folds != fold], train[folds == fold], penalty)
        return _uar(p, data.consensus[train])

    return _predictions(data, fitted(train, data.test, max(INVERSE_PENALTIES, key=inner)))


def _statistics(config: Config, streams: Sequence[StreamView], frames: Path) -> Floats:
    """Vectors of all utterances, shape (N, D); zero where a stream is missing."""
    features = FeatureSet(config.features)
    blocks = []
    for stream in streams:
        packed = pack_stream(features, stream, frames)
        block = np.zeros((len(features), packed.dim))
        block[packed.lengths > 0] = packed.frames
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def _standardised(x: Floats, train: Rows, wanted: Rows) -> tuple[Floats, Floats]:
    mean, deviation = x[train].mean(axis=0), x[train].std(axis=0) + 1e-6
    return (x[train] - mean) / deviation, (x[wanted] - mean) / deviation


def _ridge(x: Floats, data: TrainingData, train: Rows, wanted: Rows, strength: float) -> Floats:
    a, b = _standardised(x, train, wanted)
    one_hot = np.eye(len(data.categories))[data.consensus[train]]
    middle = one_hot.mean(axis=0)
    gram = a @ a.T / a.shape[1]
    gram[np.diag_indices_from(gram)] += strength
    scores: Floats = (b @ (a.T @ np.linalg.solve(gram, one_hot - middle))) / a.shape[1] + middle
    return scores


def _inner_uar(x: Floats, data: TrainingData, train: Rows, folds: Rows, strength: float) -> float:
    scores, original = np.zeros((len(train), len(data.categories))), data.original[train]
    for fold in range(int(folds.max()) + 1):
        inside = (folds == fold) & original
        scores[inside] = _ridge(x, data, train[folds != fold], train[inside], strength)
    return _uar(scores[original], data.consensus[train[original]])


def _uar(scores: Floats, labels: npt.NDArray[np.int64]) -> float:
    return float(uar(confusion_matrix(labels, scores.argmax(axis=1), scores.shape[1])))


def _predictions(data: TrainingData, scores: Floats) -> Predictions:
    """Test predictions; ridge scores are not probabilities, they are brought to sum to one for the table's sake."""
    p = scores.clip(min=1e-6)
    count = len(data.test)
    return Predictions(
        data.utterances[data.test],
        np.full(count, "test", dtype=object),
        data.categories,
        p / p.sum(axis=1, keepdims=True),
        np.full((count, 3), np.nan),
    )
