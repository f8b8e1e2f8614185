import torch
from hypothesis import given
from hypothesis import strategies as st

from tamis.pruning.patterns import parse_pattern
from tamis.pruning.selection import keep_top, select


@given(st.data())
def test_keep_top_agrees_with_a_stable_sort(data):
    groups, units = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 12))
    values = data.draw(st.lists(st.integers(0, 4), min_size=groups * units, max_size=groups * units))
    keep = data.draw(st.integers(0, units))
    scores = torch.tensor(values, dtype=torch.float32).reshape(groups, units)
    order = scores.argsort(dim=1, descending=True, stable=True)
    expected = torch.zeros(groups, units, dtype=torch.bool).scatter_(1, order[:, :keep], True)
    assert torch.equal(keep_top(scores, keep), expected)


def test_infinite_scores_stay():
    assert keep_top(torch.tensor([[1.0, torch.inf, 2.0, torch.inf]]), 2).tolist() == [
        [False, True, False, True]
    ]


def test_nothing_to_select():
    assert select([], parse_pattern("unstructured"), 0.5, "model") == []
