import torch
from hypothesis import given
from hypothesis import strategies as st

from tamis.pruning.allocation import one_threshold
from tamis.pruning.patterns import parse_pattern
from tamis.pruning.selection import keep_count, keep_top, select


@given(st.data())
def test_layers_keep_what_one_common_ranking_keeps(data):
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    sparsity = data.draw(st.floats(0, 1))
    scores = [
        torch.tensor(data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)), dtype=torch.float32)[
            None
        ]
        for n in sizes
    ]
    pool = torch.cat(scores, 1)
    expected = keep_top(pool, keep_count(pool.shape[1], sparsity)).split(sizes, dim=1)
    pattern = parse_pattern("unstructured")
    shares = one_threshold(iter(scores), pattern, sparsity)
    for score, share, mask in zip(scores, shares, expected, strict=True):
        assert torch.equal(select(score, pattern, share, "layer"), mask)


def test_no_layer_is_no_work():
    assert one_threshold([], parse_pattern("4x1"), 0.5) == []
