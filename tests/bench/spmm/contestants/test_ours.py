"""tamis as a contestant: right in every pattern, with a plan of the chooser's."""

import pytest
import torch

from tamis.bench.measurement import Unavailable
from tamis.bench.spmm.contestants import ours
from tamis.bench.spmm.contestants.listed import CANDIDATES, OURS, ROUNDED
from tamis.bench.spmm.operands import Operands
from tamis.formats import BSR, CSR, NM
from tamis.workloads import Spec, generate


@pytest.mark.parametrize("contestant", OURS, ids=lambda contestant: contestant.name)
@pytest.mark.parametrize("pattern", ["unstructured", "4x1", "16x1", "16x16", "2:4"])
@pytest.mark.parametrize(("n", "planned_n"), [(1, 1), (8, 8), (33, 128)])
def test_products_are_right(contestant, pattern, n, planned_n):
    given = Operands.make(generate(Spec(64, 96, 0.5, pattern)), n, pattern)
    prepared = contestant.prepare(given, planned_n)
    product = prepared.product(prepared.run())
    assert product.shape == (64, n)
    assert given.error(product) <= given.tolerance
    assert prepared.pack_us > 0
    assert prepared.pool == "torch"
    assert prepared.detail.split(":")[0].startswith("cpu/")


@pytest.mark.parametrize("contestant", ROUNDED, ids=lambda contestant: contestant.name)
def test_fewer_bits_are_checked_against_the_rounded_operands(contestant):
    given = Operands.make(generate(Spec(64, 96, 0.5)), 1, "unstructured")
    prepared = contestant.prepare(given, 1)
    product = prepared.product(prepared.run())
    assert prepared.rounded.error(product) <= prepared.rounded.tolerance
    assert given.error(product) > given.tolerance


def test_a_kernel_that_cannot_serve_is_unavailable():
    given = Operands.make(generate(Spec(64, 96, 0.5)), 8, "unstructured")
    by_name = {contestant.name: contestant for contestant in CANDIDATES}
    assert by_name["tamis_on_spmm_csr"].prepare(given, 8).detail.startswith("cpu/spmm_csr")
    with pytest.raises(Unavailable, match="not BSR"):
        by_name["tamis_on_spmm_bsr"].prepare(given, 8)


@pytest.mark.parametrize(
    ("pattern", "expected"), [("unstructured", CSR), ("4x1", BSR), ("16x16", BSR), ("2:4", NM)]
)
def test_each_pattern_has_its_format(pattern, expected):
    weight = generate(Spec(64, 96, 0.5, pattern))
    stored = ours.in_format(weight, pattern)
    assert type(stored) is expected
    assert stored.nnz == int((weight != 0).sum())
    assert torch.equal(stored.to_dense(), weight)
