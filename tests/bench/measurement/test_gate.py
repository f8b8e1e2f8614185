"""The gate's arithmetic; products of a real size go through it in tests/bench/spmm/test_operands.py."""

from math import inf, nan

import pytest
import torch

from tamis.bench.measurement import relative_error, rounding_bound


@pytest.mark.parametrize(
    ("product", "error"),
    [
        ([1.0, 0.0], 0.0),
        ([1.5, 0.0], 0.25),
        ([1.0, 1e-30], inf),
        ([nan, 0.0], inf),
        ([inf, 0.0], inf),
        ([1.0], inf),
    ],
)
def test_error_is_relative_to_the_sum_of_absolute_values(product, error):
    expected, magnitude = torch.tensor([1.0, 0.0]).double(), torch.tensor([2.0, 0.0]).double()
    assert relative_error(torch.tensor(product), expected, magnitude) == error


def test_the_bound_grows_with_the_root_of_the_terms_and_knows_half_precision():
    assert rounding_bound(400) == pytest.approx(20 * rounding_bound(1))
    assert rounding_bound(0) == rounding_bound(1)
    assert rounding_bound(1, torch.bfloat16) > torch.finfo(torch.bfloat16).eps
