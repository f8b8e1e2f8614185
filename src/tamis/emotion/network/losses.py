"""What the members minimise (paper, section 2; the published code's constants stand in the configuration)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from tamis.emotion.network.deepser import Prediction


def soft_cross_entropy(logits: Tensor, soft_labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean over the batch of - Σ_c w_c y_c log p_c; logits and soft labels (B, C), weights (C,)."""
    terms = -soft_labels * F.log_softmax(logits, dim=1)
    return (terms if weights is None else terms * weights).sum(dim=1).mean()


def attribute_error(predicted: Tensor, rated: Tensor) -> Tensor:
    """Mean squared error over the ratings that exist; (B, 3) both, NaN in ``rated`` = not rated."""
    known = ~rated.isnan()
    squared = (predicted - torch.where(known, rated, predicted)).square()
    return squared.sum() / known.sum().clamp(min=1)


def class_weights(soft_labels: Tensor, power: float) -> Tensor:
    """(N / (C · n_c)) ** power, shape (C,), n_c = sum of the training rows' soft labels; 0 for a class nobody named."""
    counts = soft_labels.sum(dim=0)
    weights = (len(soft_labels) / (soft_labels.shape[1] * counts.clamp(min=1e-9))) ** power
    return torch.where(counts > 0, weights, torch.zeros_like(weights))


def joint_loss(
    prediction: Prediction,
    soft_labels: Tensor,
    rated: Tensor,
    *,
    category_weight: float,
    attribute_weight: float,
    weights: Tensor | None = None,
) -> Tensor:
    """Weighted sum of :func:`soft_cross_entropy` and :func:`attribute_error`."""
    categories = soft_cross_entropy(prediction.logits, soft_labels, weights)
    return category_weight * categories + attribute_weight * attribute_error(prediction.attributes, rated)
