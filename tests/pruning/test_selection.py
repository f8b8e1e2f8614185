import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tamis.pruning.patterns import Blocks, NOfM, parse_pattern
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


def test_rows_compete_apart_and_layers_as_a_whole():
    score = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    cut = parse_pattern("unstructured")
    assert select(score, cut, 0.5, "row").tolist() == [[False, False, True, True]] * 2
    assert select(score, cut, 0.5, "layer").tolist() == [[False] * 4, [True] * 4]
    assert select(score, parse_pattern("2:4"), 0.5, "row").tolist() == [[False, False, True, True]] * 2


@pytest.mark.parametrize(
    ("shape", "pattern", "sparsity", "compare", "message"),
    [
        ((8, 8), Blocks(1, 1), 0.5, "rows", "compare='rows'"),
        ((8, 8), Blocks(1, 1), 2, "row", "sparsity=2"),
        ((8,), Blocks(1, 1), 0.5, "row", r"expected a score \(m, k\) and not \(8,\)"),
        ((8, 8), Blocks(3, 1), 0.5, "row", "8 rows do not divide into 3x1"),
        ((8, 6), NOfM(2, 4), 0.5, "row", "6 columns do not divide into 2:4"),
    ],
)
def test_wrong_arguments_are_named(shape, pattern, sparsity, compare, message):
    with pytest.raises(ValueError, match=message):
        select(torch.rand(shape), pattern, sparsity, compare)
