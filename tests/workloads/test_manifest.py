"""The manifest's figures, against counting by hand and loops that cannot be wrong."""

import pytest
import torch

from tamis.workloads.manifest import block_fill, describe


def slow_fill(present, rows, cols):
    m, k = present.shape
    touched = nonzeros = 0
    for top in range(0, m, rows):
        for left in range(0, k, cols):
            inside = int(present[top : top + rows, left : left + cols].sum())
            nonzeros += inside
            touched += inside > 0
    return nonzeros / (touched * rows * cols) if touched else 0.0


def test_by_hand():
    weight = torch.zeros(8, 4)
    weight[0:4, 0] = 1.0  # a full 4x1 vector
    weight[4, 1] = -2.0
    found = describe(weight)
    assert (found.m, found.k, found.nnz, found.sparsity) == (8, 4, 5, 1 - 5 / 32)
    assert (found.min_row, found.max_row, found.empty_rows) == (0, 1, 3)
    assert found.reuse_4 == pytest.approx(5 / 2)  # two non-empty columns of panels
    assert found.reuse_8 == pytest.approx(5 / 2)
    assert found.fill_4x1 == pytest.approx(5 / 8)
    assert found.row_cov == pytest.approx((3 / 5) ** 0.5)  # five ones and three zeros


@pytest.mark.parametrize("shape", [(7, 13), (16, 16), (1, 5), (33, 1)])
@pytest.mark.parametrize("block", [(4, 1), (8, 1), (16, 16), (1, 4)])
def test_fill_matches_a_loop(shape, block):
    present = torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.2
    assert block_fill(present, *block) == pytest.approx(slow_fill(present, *block))


def test_random_mask_meets_the_formula():
    present = torch.rand(2048, 512, generator=torch.Generator().manual_seed(0)) < 0.3
    expected = 4 * 0.3 / (1 - 0.7**4)
    assert describe(present.float()).reuse_4 == pytest.approx(expected, rel=0.01)


def test_empty_and_full():
    nothing = describe(torch.zeros(4, 4))
    assert (nothing.nnz, nothing.row_cov, nothing.reuse_4, nothing.fill_16x16) == (0, 0.0, 0.0, 0.0)
    everything = describe(torch.ones(16, 16))
    assert (everything.sparsity, everything.reuse_8, everything.fill_16x16) == (0.0, 8.0, 1.0)
    assert describe(torch.zeros(0, 4)).nnz == 0


def test_not_a_matrix():
    with pytest.raises(ValueError, match="two dimensions"):
        describe(torch.zeros(3))
