"""Layers replaced one by one: the dense ones go, and come back where they must."""

import copy
import gc
import weakref

import pytest
import torch
from torch import nn

from tamis.models import sparsify
from tamis.models.replacement import Replacements
from tamis.nn import SparseLinear
from tamis.pruning import prune

X = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))


def pruned():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 16, bias=False))
    prune(model, 0.8)
    return model


def replace_both(model):
    with Replacements(model) as replaced:
        for name in ("0", "2"):
            layer = model.get_submodule(name)
            replaced.put(name, layer, SparseLinear.from_dense(layer), calls=1)
            assert isinstance(model.get_submodule(name), SparseLinear)
            del layer
        raise KeyError


def fail(model):
    with pytest.raises(KeyError):
        replace_both(model)


def test_dense_weights_are_free_as_soon_as_their_place_is_taken():
    model = pruned()
    weights = [weakref.ref(model[i].weight) for i in (0, 2)]
    alive_before = []

    def progress(done, count, name):
        alive_before.append([weight() is not None for weight in weights])

    gc.disable()  # nothing may hang in a cycle until somebody collects
    try:
        sparsify(model, X, times="predicted", replace="everywhere", progress=progress)
        assert alive_before == [[True, True], [False, True]]
        assert [weight() for weight in weights] == [None, None]
    finally:
        gc.enable()


def test_an_error_brings_back_equal_layers():
    model = pruned()
    model[0].weight.requires_grad_(False)
    model[2].eval()
    before, bias = copy.deepcopy(model), model[0].bias
    fail(model)
    assert [type(module) for module in model] == [nn.Linear, nn.ReLU, nn.Linear]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))
    assert [p.requires_grad for p in model.parameters()] == [False, True, True]
    assert model[0].bias is bias
    assert model[2].bias is None
    assert [module.training for module in model] == [True, True, False]


def test_an_error_brings_back_the_layers_and_parameters_that_somebody_holds():
    model = pruned()
    held, optimizer = model[0], torch.optim.SGD([model[2].weight], lr=0.1)
    fail(model)
    assert model[0] is held
    assert model[2].weight is optimizer.param_groups[0]["params"][0]


def test_an_interrupt_brings_them_back_too():
    model = pruned()
    before = list(model)

    def progress(done, count, name):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sparsify(model, X, times="predicted", replace="everywhere", progress=progress)
    assert list(model) == before


def test_missed_layers_go_back_and_are_named():
    model = pruned()
    with Replacements(model) as replaced:
        replaced.put("first", model[0], SparseLinear.from_dense(model[0]), calls=1)
        replaced.put("last", model[2], SparseLinear.from_dense(model[2]), calls=2)
        missed = replaced.put_back_missed(X)
    assert missed == {"last": 1}
    assert [type(module) for module in model] == [SparseLinear, nn.ReLU, nn.Linear]
