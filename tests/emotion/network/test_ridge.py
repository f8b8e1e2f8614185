"""The ridge member: solved as the textbook says, with padding and missing streams that do not count."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from tamis.emotion.data import Batch
from tamis.emotion.network.member import new_member
from tamis.emotion.network.mixup import Mixing
from tamis.emotion.network.ridge import SHARPNESS, RidgeSER

FEATURES = {"a": torch.randn(2, 6, 4), "b": torch.randn(2, 3, 2, 3)}
MASKS = {"a": torch.arange(6) < torch.tensor([[6], [2]]), "b": torch.tensor([[1, 1, 0], [0, 0, 0]]).bool()}


@pytest.fixture
def model() -> RidgeSER:
    torch.manual_seed(0)
    return RidgeSER({"a": (4, None), "b": (3, 2)}, 5).eval()


def test_it_is_a_linear_layer_over_means(model: RidgeSER) -> None:
    out = model(FEATURES, MASKS)
    a, b = FEATURES["a"][0].mean(dim=0), FEATURES["b"][0, :2].mean(dim=(0, 1))
    torch.testing.assert_close(out.logits[0], model.to_categories(torch.cat([a, b])))
    missing = torch.cat([FEATURES["a"][1, :2].mean(dim=0), torch.zeros(3)])
    torch.testing.assert_close(out.logits[1], model.to_categories(missing))
    assert ((out.attributes >= 1) & (out.attributes <= 7)).all()


def test_padding_does_not_count(model: RidgeSER) -> None:
    other = {
        name: torch.where(MASKS[name].view(*MASKS[name].shape, *[1] * (x.dim() - 2)), x, torch.tensor(9.0))
        for name, x in FEATURES.items()
    }
    torch.testing.assert_close(model(other, MASKS), model(FEATURES, MASKS), rtol=0, atol=0)


def test_mixing_a_linear_model_mixes_its_logits(model: RidgeSER) -> None:
    mixing = Mixing(torch.tensor([0.25, 1.0]), torch.tensor([1, 0]))
    plain, mixed = model(FEATURES, MASKS).logits, model(FEATURES, MASKS, mixing).logits
    torch.testing.assert_close(mixed, torch.stack([0.25 * plain[0] + 0.75 * plain[1], plain[1]]))


def batch(x: torch.Tensor, soft: torch.Tensor, rated: torch.Tensor) -> Batch:
    masks = torch.ones(len(x), 1, dtype=torch.bool)
    return Batch({"a": x[:, None]}, {"a": masks}, soft, rated, torch.arange(len(x)))


def test_the_solution_is_that_of_scikit_learn() -> None:
    torch.manual_seed(1)
    x, soft = torch.randn(30, 6) + 2, torch.rand(30, 3).softmax(dim=1)
    rated = torch.rand(30, 3) * 5 + 1.5
    rated[3] = torch.nan
    model = RidgeSER({"a": (6, None)}, 3).eval()
    model.solve([batch(x[:20], soft[:20], rated[:20]), batch(x[20:], soft[20:], rated[20:])], strength=0.5)
    theirs = Ridge(alpha=0.5 * 6).fit(x.double(), soft.double()).predict(x.double())
    out = model({"a": x[:, None]}, {"a": torch.ones(30, 1, dtype=torch.bool)})
    np.testing.assert_allclose(out.logits.detach() / SHARPNESS, theirs, atol=1e-5)
    known = ~rated.isnan().any(dim=1)
    share = ((rated[known].double() - 1) / 6).logit()
    logits = Ridge(alpha=0.5 * 6).fit(x[known].double(), share).predict(x.double())
    np.testing.assert_allclose(out.attributes.detach(), 1 + 6 / (1 + np.exp(-logits)), atol=1e-4)


def test_without_ratings_attributes_are_the_middle() -> None:
    model = RidgeSER({"a": (6, None)}, 3)
    x = torch.randn(9, 6)
    model.solve([batch(x, torch.rand(9, 3), torch.full((9, 3), torch.nan))], strength=1.0)
    assert (model({"a": x[:, None]}, {"a": torch.ones(9, 1).bool()}).attributes == 4).all()


def test_errors() -> None:
    with pytest.raises(ValueError, match="at least one stream"):
        RidgeSER({}, 5)
    with pytest.raises(ValueError, match="expected 'deep' or 'ridge'"):
        new_member("wide", {"a": (4, None)}, 5, None)  # type: ignore[arg-type]
