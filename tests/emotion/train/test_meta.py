"""The meta-classifier's starts, and its temperature."""

import numpy as np
import pytest
import torch

from tamis.emotion.network import MetaClassifier
from tamis.emotion.train.meta import MetaData, calibrate, vote_weights


def logs(p: torch.Tensor) -> torch.Tensor:
    """Inputs of one member: logarithms, and three attributes."""
    return torch.cat([p.log(), torch.full((len(p), 3), 2.0)], dim=1)


@pytest.fixture
def data() -> tuple[MetaData, torch.Tensor, torch.Tensor]:
    """A member that knows something, and one that is noise; the first is half as sure as it might be."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (2000,), generator=generator)
    logits = 2 * torch.nn.functional.one_hot(labels, 3) + torch.randn(2000, 3, generator=generator)
    wise = (logits / 2).softmax(dim=1)
    noise = (2 * torch.randn(2000, 3, generator=generator)).softmax(dim=1)
    inputs = torch.cat([logs(wise), logs(noise)], dim=1)
    soft = np.eye(3)[labels.numpy()]
    return MetaData(inputs, labels.numpy(), soft, np.full((2000, 3), np.nan)), wise, noise


def test_weights_of_the_vote_tell_knowledge_from_noise(data) -> None:
    weights = vote_weights(data[0], 2)
    assert weights[1] < 0.02
    assert 3.0 < weights[0] < 5.0  # logits 2 y + n with unit n are best at twice their size, and were halved
    assert (weights >= 0).all()


def test_the_start_is_the_weighted_geometric_mean(data) -> None:
    meta_data, wise, noise = data
    model = MetaClassifier(2, 3)
    model.start_at_vote(torch.tensor([1.5, 0.5]))
    out = model(meta_data.inputs)
    torch.testing.assert_close(out.logits, 1.5 * wise.log() + 0.5 * noise.log())
    torch.testing.assert_close(out.attributes, torch.full((2000, 3), 2.0))


def test_temperature_finds_what_the_logits_lack() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5000, 4, generator=generator) * 2
    drawn = torch.multinomial((logits / 2).softmax(dim=1), 1, generator=generator)[:, 0]
    model = MetaClassifier(1, 4)
    calibrate(model, logits, torch.nn.functional.one_hot(drawn, 4))
    assert model.temperature.item() == pytest.approx(2.0, rel=0.1)
