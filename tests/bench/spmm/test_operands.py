"""Operands and their gate: right products pass however they are summed, wrong ones do not."""

from math import inf

import pytest
import torch

from tamis.bench.spmm.operands import Operands
from tamis.workloads import Spec, generate


@pytest.fixture(params=[(1, 0.0), (7, 0.5), (64, 0.9), (64, 0.98)], ids=str)
def operands(request):
    n, sparsity = request.param
    return Operands.make(generate(Spec(96, 512, sparsity)), n, "unstructured")


def is_right(product, operands):
    return operands.error(product) <= operands.tolerance


def test_operands_are_one_product_in_two_layouts(operands):
    assert torch.equal(operands.x.T, operands.b)
    assert operands.b.is_contiguous()
    assert operands.x.is_contiguous()
    assert torch.equal(operands.expected, operands.weight.double() @ operands.b.double())


def test_right_products_pass(operands):
    assert is_right(operands.weight @ operands.b, operands)
    assert is_right(operands.expected.float(), operands)


def test_sequential_summation_passes():
    operands = Operands.make(generate(Spec(16, 4096, 0.0)), 8, "unstructured")
    total = torch.zeros(16, 8)
    for column in range(4096):
        total += operands.weight[:, column : column + 1] * operands.b[column]
    assert is_right(total, operands)


def test_a_missing_entry_is_noticed(operands):
    row = int((operands.weight != 0).sum(1).argmax())
    column = int(operands.weight[row].abs().argmax())
    broken = operands.weight.clone()
    broken[row, column] = 0
    assert not is_right(broken @ operands.b, operands)


def test_swapped_rows_half_precision_and_nan_are_noticed(operands):
    product = operands.weight @ operands.b
    assert not is_right(product.flip(0), operands)
    assert not is_right(product.bfloat16().float(), operands)
    product[3, 0] = torch.nan
    assert operands.error(product) == inf


def test_empty_rows_must_be_exactly_zero():
    weight = torch.zeros(4, 8)
    weight[0] = 1.0
    operands = Operands.make(weight, 3, "unstructured")
    product = weight @ operands.b
    assert operands.error(product) < 1e-6
    product[2, 1] = 1e-30
    assert operands.error(product) == inf


def test_wrong_shapes_and_nothing_at_all():
    operands = Operands.make(torch.ones(4, 8), 3, "unstructured")
    assert operands.error(torch.zeros(3, 4)) == inf
    nothing = Operands.make(torch.zeros(0, 8), 3, "unstructured")
    assert nothing.error(torch.zeros(0, 3)) == 0.0
    assert nothing.tolerance > 0


def test_half_precision_values_may_round_their_result():
    operands = Operands.make(generate(Spec(32, 64, 0.5)).bfloat16(), 8, "unstructured")
    assert is_right(operands.expected.bfloat16(), operands)
    assert not is_right(operands.expected.bfloat16() * 1.02, operands)
