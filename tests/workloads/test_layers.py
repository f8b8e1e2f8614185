"""Matrices taken from a model's layers."""

import pytest
import torch
from torch import nn

from tamis.workloads.dlmc import cut
from tamis.workloads.layers import divides, one_weight_per_role


@pytest.fixture
def model():
    def block():
        return nn.ModuleDict({"query": nn.Linear(8, 12), "norm": nn.LayerNorm(8), "ffn": nn.Linear(12, 8)})

    return nn.Sequential(block(), block(), block())


def test_one_layer_per_role_from_the_middle(model):
    assert [name for name, _ in one_weight_per_role(model)] == ["1.query", "1.ffn"]


def test_weights_are_the_models_own(model):
    name, weight = next(iter(one_weight_per_role(model)))
    assert weight.shape == (12, 8)
    assert not weight.requires_grad
    assert weight.data_ptr() == model.get_submodule(name).weight.data_ptr()


def test_pruning_leaves_the_model_alone(model):
    _, weight = next(iter(one_weight_per_role(model)))
    before = weight.clone()
    assert divides(weight, "4x1")
    assert int((cut(weight, 0.75, "4x1") != 0).sum()) == 24
    assert torch.equal(weight, before)


def test_shapes_that_do_not_divide():
    assert not divides(torch.ones(10, 8), "4x1")
    assert not divides(torch.ones(8, 10), "2:4")
    assert divides(torch.ones(7, 3), "unstructured")
