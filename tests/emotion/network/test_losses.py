"""Losses against torch's own, and ratings that do not exist."""

import torch
from torch.nn import functional as F

from tamis.emotion.network.deepser import Prediction
from tamis.emotion.network.losses import attribute_error, class_weights, joint_loss, soft_cross_entropy

LOGITS = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SOFT = torch.rand(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64).softmax(dim=1)


def test_is_torchs_cross_entropy() -> None:
    weights = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(soft_cross_entropy(LOGITS, SOFT), F.cross_entropy(LOGITS, SOFT))
    torch.testing.assert_close(
        soft_cross_entropy(LOGITS, SOFT, weights), F.cross_entropy(LOGITS, SOFT, weight=weights)
    )


def test_unrated_attributes_have_no_gradient() -> None:
    predicted = torch.full((2, 3), 4.0, requires_grad=True)
    rated = torch.tensor([[5.0, float("nan"), 4.0], [float("nan")] * 3])
    error = attribute_error(predicted, rated)
    error.backward()
    assert error.item() == 0.5
    assert predicted.grad.tolist() == [[-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert attribute_error(predicted, torch.full((2, 3), float("nan"))).item() == 0


def test_class_weights() -> None:
    soft = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0]])
    torch.testing.assert_close(class_weights(soft, 1.0), torch.tensor([2 / (3 * 1.5), 2 / (3 * 0.5), 0]))
    torch.testing.assert_close(class_weights(soft, 0.5)[:2], class_weights(soft, 1.0)[:2].sqrt())


def test_joint_loss() -> None:
    prediction = Prediction(LOGITS, torch.full((5, 3), 4.0, dtype=torch.float64))
    rated = torch.full((5, 3), 6.0, dtype=torch.float64)
    loss = joint_loss(prediction, SOFT, rated, category_weight=1.5, attribute_weight=0.4)
    torch.testing.assert_close(loss, 1.5 * F.cross_entropy(LOGITS, SOFT) + 0.4 * 4)
