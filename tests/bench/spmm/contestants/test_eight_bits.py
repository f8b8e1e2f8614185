"""Products in 8 and 16 bits: near the exact one, and not called exact."""

import pytest
import torch

from tamis.bench.measurement import Unavailable
from tamis.bench.spmm.contestants.listed import EIGHT_BITS
from tamis.bench.spmm.operands import Operands
from tamis.workloads import Spec, generate


@pytest.mark.parametrize("contestant", EIGHT_BITS, ids=lambda contestant: contestant.name)
@pytest.mark.parametrize("pattern", ["unstructured", "1x4"])
def test_products_are_near_the_exact_one(contestant, pattern):
    given = Operands.make(generate(Spec(64, 96, 0.5, pattern)), 33, pattern)
    try:
        prepared = contestant.prepare(given, 33)
    except Unavailable as missing:
        pytest.skip(str(missing))
    product = prepared.product(prepared.run())
    assert product.shape == (64, 33)
    assert 1e-4 < given.distance(product) <= prepared.nearness
    # The bound is no free pass: a few rows of zeros break it.
    assert given.distance(torch.cat([torch.zeros(4, 33), product[4:]])) > prepared.nearness
    assert given.distance(product[1:]) == torch.inf


def test_an_engine_that_is_not_there_is_unavailable():
    from tamis.bench.spmm.contestants.eight_bits import dense_int8

    given = Operands.make(generate(Spec(16, 16, 0.5)), 8, "unstructured")
    with pytest.raises(Unavailable, match="no quantized engine abacus"):
        dense_int8("abacus")(given, 8)
