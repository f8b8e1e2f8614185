"""The linear member: by hand, with padding and missing streams that do not count, and mixed as its targets are."""

import pytest
import torch

from tamis.emotion.linear import LinearSER
from tamis.emotion.mixup import Mixing
from tamis.emotion.new_member import new_member


@pytest.fixture
def model() -> LinearSER:
    torch.manual_seed(0)
    model = LinearSER({"a": (4, None), "b": (3, 2)}, 5, input_dropout=0.5).eval()
    torch.nn.init.normal_(model.to_categories.weight)
    torch.nn.init.normal_(model.to_attributes.weight)
    return model


FEATURES = {"a": torch.randn(2, 6, 4), "b": torch.randn(2, 3, 2, 3)}
MASKS = {"a": torch.arange(6) < torch.tensor([[6], [2]]), "b": torch.tensor([[1, 1, 0], [0, 0, 0]]).bool()}


def test_it_is_a_linear_layer_over_means(model: LinearSER) -> None:
    out = model(FEATURES, MASKS)
    a, b = FEATURES["a"][0].mean(dim=0), FEATURES["b"][0, :2].mean(dim=(0, 1))
    by_hand = model.to_categories(torch.cat([a, b]))
    torch.testing.assert_close(out.logits[0], by_hand)
    missing = model.to_categories(torch.cat([FEATURES["a"][1, :2].mean(dim=0), torch.zeros(3)]))
    torch.testing.assert_close(out.logits[1], missing)
    assert ((out.attributes >= 1) & (out.attributes <= 7)).all()


def test_padding_does_not_count(model: LinearSER) -> None:
    other = {
        name: torch.where(MASKS[name].view(*MASKS[name].shape, *[1] * (x.dim() - 2)), x, torch.tensor(9.0))
        for name, x in FEATURES.items()
    }
    torch.testing.assert_close(model(other, MASKS), model(FEATURES, MASKS), rtol=0, atol=0)


def test_mixing_a_linear_model_mixes_its_logits(model: LinearSER) -> None:
    mixing = Mixing(torch.tensor([0.25, 1.0]), torch.tensor([1, 0]))
    plain, mixed = model(FEATURES, MASKS).logits, model(FEATURES, MASKS, mixing).logits
    torch.testing.assert_close(mixed, torch.stack([0.25 * plain[0] + 0.75 * plain[1], plain[1]]))


def test_errors() -> None:
    with pytest.raises(ValueError, match="at least one stream"):
        LinearSER({}, 5, 0.0)
    with pytest.raises(ValueError, match="expected 'deep' or 'linear'"):
        new_member("wide", {"a": (4, None)}, 5, None)  # type: ignore[arg-type]
