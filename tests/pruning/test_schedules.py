import pytest
import torch
from torch import nn

from tamis.pruning import cubic, one_shot, prune


def test_one_shot_jumps_once():
    assert [one_shot(step, final=0.9, at=3) for step in range(5)] == [0, 0, 0, 0.9, 0.9]


def test_cubic_follows_the_published_formula():
    values = [cubic(step, final=0.8, begin=10, end=20, initial=0.2) for step in range(30)]
    assert values[:11] == [pytest.approx(0.2)] * 11
    assert values[15] == pytest.approx(0.8 - 0.6 * 0.5**3)
    assert values[20:] == [0.8] * 10
    assert values == sorted(values)


def test_cubic_holds_still_between_its_ticks():
    values = [cubic(step, final=0.9, end=100, every=10) for step in range(101)]
    assert len(set(values)) == 11
    assert values[19] == values[10] != values[20]


@pytest.mark.parametrize("wrong", [{"end": 0}, {"end": 5, "begin": 5}, {"end": 5, "every": 0}])
def test_a_schedule_without_steps_is_an_error(wrong):
    with pytest.raises(ValueError, match="expected begin < end and every >= 1"):
        cubic(1, final=0.5, **wrong)


def test_gradual_pruning_only_ever_adds_zeros():
    model = nn.Sequential(nn.Linear(16, 16))
    before = torch.zeros(16, 16, dtype=torch.bool)
    for step in range(10):
        masks = prune(model, sparsity=cubic(step, final=0.9, end=9)).masks
        zero = ~masks["0.weight"]
        assert (zero | ~before).all()
        before = zero
    assert int(before.sum()) == 230


@pytest.mark.parametrize(
    "call",
    [
        lambda: one_shot(5, final=80),
        lambda: cubic(5, final=80, end=9),
        lambda: cubic(5, final=0.8, initial=-1, end=9),
    ],
)
def test_sparsities_out_of_range_are_an_error(call):
    with pytest.raises(ValueError, match="expected a fraction of zeros between 0 and 1"):
        call()
