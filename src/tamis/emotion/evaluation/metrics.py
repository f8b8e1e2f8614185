"""How good predictions are: of categories, of the votes' distribution, of attributes, of the raters' disagreement."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torchmetrics.functional import concordance_corrcoef
from torchmetrics.functional.classification import binary_auroc, multiclass_calibration_error

from tamis.emotion.corpora import ATTRIBUTES
from tamis.emotion.data import (
    Predictions,
    accuracy,
    confusion_matrix,
    disagreement,
    f1_scores,
    macro_f1,
    precisions,
    recalls,
    uar,
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """The raters' judgement of the utterances of a :class:`Predictions`, row by row.

    Attributes
    ----------
    consensus : shape (N,)
        Plurality, negative = no agreement; such rows count for the distribution's figures only.
    vote_shares : shape (N, C)
        Shares of the primary votes; NaN where nobody voted for a category.
    attributes : shape (N, 3)
        NaN where not rated.
    speakers : array of str, shape (N,)
    """

    consensus: npt.NDArray[np.int64]
    vote_shares: Floats
    attributes: Floats
    speakers: npt.NDArray[np.object_]


def score(predictions: Predictions, truth: Truth) -> dict[str, float]:
    """All figures of one set of utterances; NaN where there is nothing to compute a figure from.

    ``macro_f1``, ``uar``, ``accuracy``, ``ece`` and ``brier`` are over utterances with an agreed category; ``jsd`` (nats) and
    ``auroc_disagree`` over all with votes; ``ccc_<attribute>`` over those that are rated.
    """
    agreed = truth.consensus >= 0
    confusion = agreed_confusion(predictions, truth)
    p = predictions.probabilities[agreed]
    return {
        "utterances": float(len(agreed)),
        "agreed": float(agreed.sum()),
        "macro_f1": float(macro_f1(confusion)) if agreed.any() else np.nan,
        "uar": float(uar(confusion)) if agreed.any() else np.nan,
        "accuracy": float(accuracy(confusion)),
        "jsd": jensen_shannon(predictions.probabilities, truth.vote_shares),
        "ece": expected_calibration_error(p, truth.consensus[agreed]),
        "brier": brier(p, truth.consensus[agreed]),
        "auroc_disagree": disagreement_auroc(predictions.probabilities, truth.vote_shares),
        **{
            f"ccc_{name}": ccc(predictions.attributes[:, i], truth.attributes[:, i])
            for i, name in enumerate(ATTRIBUTES)
        },
    }


def per_category(predictions: Predictions, truth: Truth) -> pd.DataFrame:
    """Utterances, recall, precision and F1 of every category, and how often it is taken for which other one."""
    confusion = agreed_confusion(predictions, truth)
    table = pd.DataFrame(
        {"category": predictions.categories, "utterances": confusion.sum(axis=1).astype(int)}
    )
    for name, figure in (("recall", recalls), ("precision", precisions), ("f1", f1_scores)):
        table[name] = figure(confusion)
    for i, name in enumerate(predictions.categories):
        table[f"as/{name}"] = confusion[:, i].astype(int)
    return table


def per_slice(
    predictions: Predictions, truth: Truth, slices: Mapping[str, npt.NDArray[np.object_]]
) -> pd.DataFrame:
    """:func:`score` of every value of every slice (gender, speaker, length …)."""
    rows = []
    for slice_name, values in slices.items():
        for value in sorted(set(values.tolist())):
            inside = np.flatnonzero(values == value)
            rows.append({"slice": slice_name, "value": value, **score(*taken(predictions, truth, inside))})
    return pd.DataFrame(rows)


def taken(predictions: Predictions, truth: Truth, rows: npt.NDArray[np.int64]) -> tuple[Predictions, Truth]:
    """Some rows of both."""
    part = Truth(truth.consensus[rows], truth.vote_shares[rows], truth.attributes[rows], truth.speakers[rows])
    return predictions.of_utterances(list(predictions.utterances[rows])), part


def agreed_confusion(predictions: Predictions, truth: Truth) -> Floats:
    agreed = truth.consensus >= 0
    predicted = predictions.probabilities[agreed].argmax(axis=1)
    return confusion_matrix(truth.consensus[agreed], predicted, len(predictions.categories))


def jensen_shannon(p: Floats, q: Floats) -> float:
    """Mean Jensen-Shannon divergence between rows, in nats (0..ln 2); rows of ``q`` that are NaN are left out."""
    known = ~np.isnan(q).any(axis=1)
    if not known.any():
        return float("nan")
    p, q = p[known], q[known]
    middle = (p + q) / 2
    return float(((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2).mean())


def _relative_entropy(p: Floats, q: Floats) -> Floats:
    terms = np.zeros_like(p)
    np.divide(p, q, out=terms, where=p > 0)
    np.log(terms, out=terms, where=p > 0)
    total: Floats = (p * terms).sum(axis=1)
    return total


def expected_calibration_error(p: Floats, labels: npt.NDArray[np.int64], bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, over ``bins`` equal bins of confidence."""
    if not len(labels):
        return float("nan")
    return float(
        multiclass_calibration_error(
            torch.from_numpy(p), torch.from_numpy(labels), num_classes=p.shape[1], n_bins=bins
        )
    )


def brier(p: Floats, labels: npt.NDArray[np.int64]) -> float:
    """Mean squared distance between distribution and one-hot label, summed over categories (0..2)."""
    return (
        float(np.square(p - np.eye(p.shape[1])[labels]).sum(axis=1).mean()) if len(labels) else float("nan")
    )


def disagreement_auroc(p: Floats, vote_shares: Floats) -> float:
    """How well the predicted distribution separates utterances without an absolute majority among the raters from the rest.

    The score is the predicted probability that two raters disagree; NaN if all utterances are of one kind.
    """
    known = ~np.isnan(vote_shares).any(axis=1)
    split = vote_shares[known].max(axis=1, initial=0.0) <= 0.5
    if split.all() or not split.any():
        return float("nan")
    return float(
        binary_auroc(torch.from_numpy(disagreement(p[known])), torch.from_numpy(split.astype(np.int64)))
    )


def ccc(predicted: Floats, rated: Floats) -> float:
    """Concordance correlation coefficient over the rows that have both, with sample (n - 1) variances."""
    known = ~np.isnan(predicted) & ~np.isnan(rated)
    if known.sum() < 2:
        return float("nan")
    return float(concordance_corrcoef(torch.from_numpy(predicted[known]), torch.from_numpy(rated[known])))
