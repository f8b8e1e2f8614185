"""Layers in 8 bits: taken where they stay near enough, by a bound that is torch's own dynamic quantisation."""

import copy
import re
import warnings

import pytest
import torch
from torch import nn

import tamis
from tamis.models.precision import Precision, dense_int8_error, relative_error
from tamis.nn import SparseLinear


def pruned(k: int = 256, m: int = 64) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(k, m), nn.GELU(), nn.Linear(m, 16))
    tamis.prune(model, sparsity=0.75, pattern="1x4")
    return model


@pytest.mark.parametrize("scale", [0.1, 30.0])
def test_the_error_of_dense_int8_is_that_of_torchs_own(scale):
    torch.manual_seed(0)
    layer, x = nn.Linear(256, 64), scale * torch.randn(40, 256)
    x[:, 3] *= 20  # the outlier column that makes one range for all activations a bad one
    with warnings.catch_warnings(action="ignore"):
        theirs = torch.ao.quantization.quantize_dynamic(nn.Sequential(copy.deepcopy(layer)), {nn.Linear})
        measured = relative_error(layer, theirs, x)
    assert dense_int8_error(layer, x) == pytest.approx(measured, rel=0.1)


def test_a_range_for_each_token_errs_less_than_one_for_all():
    torch.manual_seed(0)
    layer, x = nn.Linear(256, 64), torch.randn(40, 256)
    x[:, 3] *= 20
    sparse, note = Precision("int8").eight_bits(layer, 40, x)
    assert note == ""
    assert 1e-4 < relative_error(layer, sparse, x) < 0.7 * dense_int8_error(layer, x)


def test_a_layer_of_zeros_errs_by_nothing():
    layer = nn.Linear(8, 4)
    nn.init.zeros_(layer.weight)
    for x in (torch.zeros(3, 8), torch.randn(3, 8)):
        assert dense_int8_error(layer, x) == 0
        sparse, _ = Precision("int8").eight_bits(layer, 3, x)
        assert relative_error(layer, sparse, x) == 0


@pytest.mark.parametrize(
    ("layer", "bound", "words"),
    [
        (nn.Linear(6, 4), None, "no 8 bits: its 6 inputs are no multiple of 4"),
        (nn.Linear(8, 4), 1e-6, "no 8 bits: they err by .*e-03, 1.0e-06 is allowed"),
    ],
)
def test_why_a_layer_is_not_in_8_bits(layer, bound, words):
    torch.manual_seed(0)
    sparse, note = Precision("int8", bound).eight_bits(layer, 3, torch.randn(3, layer.in_features))
    assert sparse is None
    assert re.match(words, note)


def test_weights_that_are_not_finite_stay_in_float32():
    layer = nn.Linear(8, 4)
    layer.weight.data[0, 0] = torch.inf
    assert Precision("int8").eight_bits(layer, 3, torch.randn(3, 8)) == (
        None,
        "no 8 bits: its weights hold NaN or Inf",
    )


@pytest.mark.parametrize("times", ["measured", "predicted"])
def test_sparsify_computes_in_8_bits_where_that_is_asked_for(times):
    model, x = pruned(), torch.randn(32, 256)
    dense = copy.deepcopy(model)
    report = tamis.sparsify(model, x, compute="int8", replace="everywhere", times=times)
    assert [(row.format, row.kernel) for row in report.rows] == [("BSR 1x4 int8", "cpu/spmm_int8")] * 2
    assert all(1e-4 < row.error < 0.05 for row in report.rows)
    with torch.no_grad():
        assert 0 < (model(x) - dense(x)).norm() / dense(x).norm() < 0.05


def test_a_bound_that_does_not_hold_leaves_the_layer_in_float32_and_says_so():
    model, x = pruned(), torch.randn(32, 256)
    report = tamis.sparsify(model, x, compute="int8", max_error=1e-6, replace="everywhere", times="predicted")
    assert all(row.format == "CSR" and row.error < 1e-6 for row in report.rows)
    assert "no 8 bits: they err by" in str(report)


def test_fastest_takes_either():
    model, x = pruned(512, 512), torch.randn(128, 512)
    report = tamis.sparsify(model, x, compute="fastest", replace="everywhere", times="predicted")
    assert report.rows[0].format == "BSR 1x4 int8"  # a quarter of the quads in 8 bits
    never = tamis.sparsify(pruned(512, 512), x, replace="everywhere", times="predicted")
    assert never.rows[0].format != "BSR 1x4 int8"


def test_a_model_in_8_bits_is_saved_and_loaded_bit_for_bit(tmp_path):
    model, x = pruned(), torch.randn(32, 256)
    tamis.sparsify(model, x, compute="int8", replace="everywhere", times="predicted")
    tamis.save_sparse(model, tmp_path)
    again = tamis.load_sparse(tmp_path, pruned())
    assert isinstance(again[0], SparseLinear)
    assert again[0].compute == "int8"
    with torch.no_grad():
        assert torch.equal(again(x), model(x))


def test_a_model_in_8_bits_goes_back_to_dense_layers_of_the_rounded_weights():
    model, x = pruned(), torch.randn(32, 256)
    tamis.sparsify(model, x, compute="int8", replace="everywhere", times="predicted")
    rounded = model[0].matrix.to_dense()
    tamis.densify(model)
    assert torch.equal(model[0].weight, rounded)


@pytest.mark.parametrize("wrong", [{"compute": "int4"}, {"max_error": -0.1}, {"max_error": "small"}])
def test_wrong_arguments_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=rf"sparsify\({name}="):
        tamis.sparsify(pruned(), torch.randn(4, 256), **wrong)
