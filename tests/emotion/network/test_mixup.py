"""MixUp, soft targets and attributes stay aligned."""

import torch

from tamis.emotion.network.mixup import Mixing, draw_mixing
from tamis.training import seeded


def test_one_lambda_per_utterance_everywhere() -> None:
    """Rows that carry their own number: what is blended into the representation is blended into every target."""
    with seeded(0):
        mixing = draw_mixing(6, 1.0, 0.2, torch.device("cpu"))
    assert mixing is not None
    number = torch.arange(6.0)
    hidden, targets, attributes = (
        number[:, None, None].expand(6, 2, 3),
        number[:, None].expand(6, 8),
        number[:, None].expand(6, 3),
    )
    expected = mixing.keep * number + (1 - mixing.keep) * number[mixing.partner]
    for x in (hidden, targets, attributes):
        torch.testing.assert_close(mixing.blend(x).flatten(1), expected[:, None].expand(6, x[0].numel()))
    assert mixing.keep.unique().numel() > 1
    assert sorted(mixing.partner.tolist()) == list(range(6))


def test_soft_targets_stay_distributions() -> None:
    soft = torch.rand(5, 8).softmax(dim=1)
    mixed = Mixing(torch.rand(5), torch.randperm(5)).blend(soft)
    torch.testing.assert_close(mixed.sum(dim=1), torch.ones(5))


def test_unrated_attributes_stay_unrated() -> None:
    rated = torch.tensor([[2.0, float("nan")], [4.0, 6.0]])
    mixed = Mixing(torch.tensor([0.5, 0.5]), torch.tensor([1, 0])).blend(rated)
    assert mixed[:, 0].tolist() == [3.0, 3.0]
    assert mixed[:, 1].isnan().all()


def test_probability() -> None:
    with seeded(1):
        drawn = [draw_mixing(2, 0.3, 0.2, torch.device("cpu")) is not None for _ in range(2000)]
        assert draw_mixing(2, 0.0, 0.2, torch.device("cpu")) is None
    assert 0.26 < sum(drawn) / 2000 < 0.34
