"""SparseLinear against the nn.Linear it was made from, in everything that modules do."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tamis.formats import BSR, CSR, NM, Bitmap, quantize_rows
from tamis.nn import FormatState, SparseLinear
from tamis.ops.spmm import spmm
from tamis.pruning import prune

FORMATS = {
    "CSR": ("unstructured", CSR.from_dense),
    "Bitmap": ("unstructured", Bitmap.from_dense),
    "BSR 4x1": ("4x1", partial(BSR.from_dense, blocksize=(4, 1))),
    "BSR 2x3": ("2x3", partial(BSR.from_dense, blocksize=(2, 3))),
    "BSR 16x16": ("16x16", partial(BSR.from_dense, blocksize=(16, 16))),
    "NM 2:4": ("2:4", partial(NM.from_dense, n=2, m=4)),
}


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()


def pair(name="CSR", bias=True, m=64, k=96):
    """A pruned nn.Linear and its sparse form."""
    torch.manual_seed(0)
    pattern, make = FORMATS[name]
    dense = nn.Linear(k, m, bias=bias)
    prune(dense, None if ":" in pattern else 0.8, pattern)
    return dense, SparseLinear.from_dense(dense, make)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("n", [0, 1, 8, 9, 48, 49, 256, 257, 600])
def test_it_computes_what_the_dense_layer_computes(name, n):
    dense, sparse = pair(name)
    x = torch.randn(n, 96)
    exact = nn.functional.linear(x.double(), dense.weight.double(), dense.bias.double())
    torch.testing.assert_close(sparse(x).double(), exact, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("shape", [(96,), (2, 3, 96), (2, 0, 96), (1, 1, 1, 96)])
def test_inputs_of_any_leading_shape(shape):
    dense, sparse = pair(bias=False)
    x = torch.randn(shape)
    torch.testing.assert_close(sparse(x), dense(x), atol=2e-6, rtol=1e-5)


def test_inputs_that_are_not_contiguous():
    dense, sparse = pair()
    x = torch.randn(96, 40).T[::2]
    torch.testing.assert_close(sparse(x), dense(x), atol=2e-6, rtol=1e-5)


def test_a_layer_without_any_weight_gives_its_bias():
    dense = nn.Linear(16, 8)
    nn.init.zeros_(dense.weight)
    sparse = SparseLinear.from_dense(dense)
    assert torch.equal(sparse(torch.randn(3, 16)), dense.bias.expand(3, 8))


@pytest.mark.parametrize("name", FORMATS)
def test_gradients_are_those_of_the_masked_dense_layer(name):
    dense, sparse = pair(name)
    stored = sparse.matrix.with_values(torch.ones_like(sparse.matrix.values)).to_dense()
    x = torch.randn(7, 96)
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    dense_bias_grad = torch.autograd.grad(
        dense(inputs[0]).square().sum(), [inputs[0], dense.weight, dense.bias]
    )
    grads = torch.autograd.grad(sparse(inputs[1]).square().sum(), [inputs[1], sparse.values, sparse.bias])
    with torch.no_grad():
        sparse.values.copy_(grads[1])
    as_dense = sparse.weight
    torch.testing.assert_close(grads[0], dense_bias_grad[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(as_dense, dense_bias_grad[1] * stored, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(grads[2], dense_bias_grad[2], atol=1e-5, rtol=1e-4)


def test_ten_steps_of_training_follow_the_masked_dense_layer():
    dense, sparse = pair()
    sparse.bias = nn.Parameter(sparse.bias.detach().clone())
    mask = dense.weight != 0
    optimizers = [torch.optim.SGD(layer.parameters(), lr=0.01, momentum=0.9) for layer in (dense, sparse)]
    for _ in range(10):
        x, target = torch.randn(20, 96), torch.randn(20, 64)
        for layer, optimizer in zip((dense, sparse), optimizers, strict=True):
            optimizer.zero_grad()
            (layer(x) - target).square().mean().backward()
            if layer is dense:
                dense.weight.grad *= mask
            optimizer.step()
    torch.testing.assert_close(sparse.matrix.to_dense(), dense.weight, atol=1e-5, rtol=1e-4)
    x = torch.randn(20, 96)
    torch.testing.assert_close(sparse(x), dense(x), atol=1e-5, rtol=1e-4)


def test_values_changed_in_place_are_seen_by_every_plan():
    _, sparse = pair()
    x = [torch.randn(n, 96) for n in (4, 30, 200, 300)]
    before = [sparse(part) - sparse.bias for part in x]
    with torch.no_grad():
        sparse.values.mul_(2)
    for part, old in zip(x, before, strict=True):
        torch.testing.assert_close(sparse(part) - sparse.bias, 2 * old, atol=1e-5, rtol=1e-4)


def test_values_assigned_or_swapped_in_are_used():
    _, sparse = pair()
    x = torch.randn(5, 96)
    zeros = torch.zeros_like(sparse.values)
    swapped = torch.func.functional_call(sparse, {"values": zeros}, x)
    assert torch.equal(swapped, sparse.bias.expand(5, 64))
    assert not torch.equal(sparse(x), swapped)
    sparse.values = nn.Parameter(zeros)
    assert torch.equal(sparse(x), swapped)


def test_state_dict_round_trip_is_strict_and_exact(tmp_path):
    _, sparse = pair()
    save_file(sparse.state_dict(), tmp_path / "layer.safetensors")
    _, other = pair()
    with torch.no_grad():
        other.values.zero_()
    x = torch.randn(5, 96)
    assert set(sparse.state_dict()) == {"weight", "bias"}
    other.load_state_dict(load_file(tmp_path / "layer.safetensors"), strict=True)
    assert torch.equal(other(x), sparse(x))


@pytest.mark.parametrize("name", FORMATS)
def test_plain_layers_and_sparse_ones_load_each_others_state(name):
    dense, sparse = pair(name)
    plain = nn.Linear(96, 64)
    plain.load_state_dict(sparse.state_dict(), strict=True)
    assert torch.equal(plain.weight, dense.weight)
    assert torch.equal(plain.bias, dense.bias)
    with torch.no_grad():
        plain.weight.mul_(2)
    sparse.load_state_dict(plain.state_dict(), strict=True)
    assert torch.equal(sparse.weight, 2 * dense.weight)
    x = torch.randn(5, 96)
    torch.testing.assert_close(sparse(x), plain(x), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_the_formats_own_state_round_trips(name):
    _, sparse = pair(name)
    state = sparse.state_dict(destination=FormatState())
    assert set(state) == {*sparse.matrix.components(), "bias"}
    _, other = pair(name)
    with torch.no_grad():
        other.values.zero_()
    other.load_state_dict(state, strict=True)
    assert torch.equal(other.weight, sparse.weight)
    del state["values"]
    with pytest.raises(RuntimeError, match="values"):
        other.load_state_dict(state, strict=True)


def test_stored_zeros_stay_trainable_after_loading():
    _, sparse = pair()
    with torch.no_grad():
        sparse.values[sparse.values > 0] = 0
    _, other = pair()
    other.load_state_dict(sparse.state_dict())
    assert other.matrix.nnz == sparse.matrix.nnz
    assert torch.equal(other.values, sparse.values)


def test_a_dense_state_of_another_structure_is_taken_whole():
    _, sparse = pair()
    full = nn.Linear(96, 64)
    sparse.load_state_dict(full.state_dict())
    assert torch.equal(sparse.weight, full.weight)
    x = torch.randn(5, 96)
    torch.testing.assert_close(sparse(x), full(x), atol=2e-6, rtol=1e-5)


def test_a_dense_state_that_does_not_fit_is_an_error_and_changes_nothing():
    _, sparse = pair("NM 2:4")
    before = sparse.weight.detach()
    with pytest.raises(RuntimeError, match=r"SparseLinear: NM.*2"):
        sparse.load_state_dict(nn.Linear(96, 64).state_dict())
    with pytest.raises(RuntimeError, match=r"size mismatch for weight: \(63, 96\) for \(64, 96\)"):
        sparse.load_state_dict(nn.Linear(96, 63).state_dict())
    with pytest.raises(RuntimeError, match=r"weight in the state_dict is on the meta device"):
        sparse.load_state_dict(nn.Linear(96, 64, device="meta").state_dict())
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "weight", "bias"'):
        sparse.load_state_dict({})
    assert torch.equal(sparse.weight, before)
    assert sparse.load_state_dict({}, strict=False).missing_keys == ["weight", "bias"]


def test_a_state_of_another_dtype_is_rounded_as_by_a_plain_layer():
    dense, sparse = pair()
    state = {key: tensor.double() for key, tensor in dense.state_dict().items()}
    sparse.load_state_dict(state)
    assert sparse.values.dtype == torch.float32
    assert torch.equal(sparse.weight, dense.weight)
    half = copy.deepcopy(sparse).bfloat16()
    half.load_state_dict(state)
    assert torch.equal(half.weight, dense.weight.bfloat16())


def test_int8_states_keep_their_scales():
    dense, _ = pair()
    sparse = SparseLinear(quantize_rows(CSR.from_dense(dense.weight.detach())), dense.bias)
    state = sparse.state_dict()
    assert set(state) == {"weight", "row_scale", "bias"}
    assert torch.equal(state["weight"], sparse.matrix.to(torch.float32).to_dense())
    other = copy.deepcopy(sparse)
    with torch.no_grad():
        other.values.zero_()
        other.row_scale.mul_(3)
    other.load_state_dict(state, strict=True)
    assert torch.equal(other.values, sparse.values)
    assert torch.equal(other.row_scale, sparse.row_scale)
    with pytest.raises(RuntimeError, match="int8 weights cannot hold this float weight"):
        other.load_state_dict(dense.state_dict())


def test_state_with_keep_vars_is_differentiable():
    _, sparse = pair()
    sparse.state_dict(keep_vars=True)["weight"].sum().backward()
    assert sparse.values.grad.sum() == sparse.matrix.nnz


def test_a_state_dict_of_another_structure_is_taken_whole():
    torch.manual_seed(1)
    layers = [nn.Linear(32, 16), nn.Linear(32, 16)]
    for layer in layers:
        prune(layer, 0.75, compare="row")
    first, second = (SparseLinear.from_dense(layer) for layer in layers)
    x = torch.randn(5, 32)
    first(x)
    first.load_state_dict(second.state_dict(destination=FormatState()))
    assert torch.equal(first(x), second(x))
    torch.testing.assert_close(first(x), layers[1](x), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("bad", [-1, 96, 2**31 - 1])
def test_a_state_dict_with_bad_indices_is_an_error_and_changes_nothing(bad):
    _, sparse = pair()
    model = nn.Sequential(sparse)
    x = torch.randn(5, 96)
    before = model(x)
    state = {key: tensor.clone() for key, tensor in model.state_dict(destination=FormatState()).items()}
    state["0.col_indices"][3] = bad
    with pytest.raises(RuntimeError, match=r"0: CSR.*col_indices"):
        model.load_state_dict(state)
    assert torch.equal(model(x), before)


def test_a_state_dict_of_another_size_is_an_error_and_changes_nothing():
    _, sparse = pair()
    other = SparseLinear.from_dense(nn.Linear(96, 64))
    x = torch.randn(5, 96)
    before = sparse(x)
    with pytest.raises(RuntimeError, match=r"size mismatch for .*values \(6144,\) for \(1229,\)"):
        sparse.load_state_dict(other.state_dict(destination=FormatState()))
    assert torch.equal(sparse(x), before)


def test_copies_share_nothing_and_compute_the_same(tmp_path):
    _, sparse = pair()
    x = torch.randn(5, 96)
    torch.save(sparse, tmp_path / "layer.pt")
    for other in (copy.deepcopy(sparse), torch.load(tmp_path / "layer.pt", weights_only=False)):
        assert torch.equal(other(x), sparse(x))
        with torch.no_grad():
            other.values.zero_()
        assert torch.equal(other(x), other.bias.expand(5, 64))
    assert not torch.equal(sparse(x), sparse.bias.expand(5, 64))
    assert copy.deepcopy(sparse).matrix.values is not sparse.values


def test_a_copy_for_averaging_weights():
    _, sparse = pair()
    average = torch.optim.swa_utils.AveragedModel(sparse)
    with torch.no_grad():
        sparse.values.mul_(3)
    average.update_parameters(sparse)
    x = torch.randn(5, 96)
    torch.testing.assert_close(average(x), sparse(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["CSR", "BSR 4x1", "NM 2:4"])
def test_compile_in_one_graph_for_every_n(name):
    _, sparse = pair(name)
    model = nn.Sequential(sparse, nn.ReLU())
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    for n in (4, 5, 30, 300, 1):
        x = torch.randn(n, 96)
        assert torch.equal(compiled(x), model(x))


def test_compiled_training_sees_the_changed_values():
    _, sparse = pair()
    eager = copy.deepcopy(sparse)
    compiled = torch.compile(sparse, fullgraph=True, backend="aot_eager")
    for layer, run in ((sparse, compiled), (eager, eager)):
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        for step in range(3):
            optimizer.zero_grad()
            run(torch.full((6, 96), step + 1.0)).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(sparse.values, eager.values)
    assert torch.equal(compiled(torch.ones(6, 96)), sparse(torch.ones(6, 96)))


def test_export_and_run_for_other_sizes():
    _, sparse = pair()
    size = torch.export.Dim("n", min=9, max=48)
    program = torch.export.export(nn.Sequential(sparse), (torch.randn(16, 96),), dynamic_shapes=({0: size},))
    for n in (9, 48):
        x = torch.randn(n, 96)
        assert torch.equal(program.module()(x), sparse(x))


def test_under_autocast_the_result_has_autocasts_dtype_and_float32s_accuracy():
    dense, sparse = pair()
    x = torch.randn(5, 96)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, expected = sparse(x.bfloat16()), dense(x)
    assert y.dtype == expected.dtype == torch.bfloat16
    exact = dense(x.bfloat16().float())
    assert (y.float() - exact).abs().max() <= (expected.float() - exact).abs().max() + 0.01
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(y, nn.Sequential(sparse)(x.bfloat16()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_float32(dtype):
    dense, sparse = pair()
    dense.to(dtype), sparse.to(dtype)
    x = torch.randn(5, 96, dtype=dtype)
    exact = nn.functional.linear(x.float(), dense.weight.float(), dense.bias.float())
    torch.testing.assert_close(sparse(x), exact.to(dtype), atol=1e-2, rtol=1e-2)


def test_mixed_dtypes_and_float64_say_why_and_the_cure():
    _, sparse = pair()
    with pytest.raises(ValueError, match=r"dtypes differ: a holds torch\.float32, x is torch\.bfloat16"):
        sparse(torch.randn(5, 96, dtype=torch.bfloat16))
    sparse.double()
    with pytest.raises(NotImplementedError, match=r"x is torch\.float64; kernels take float32"):
        sparse(torch.randn(5, 96).double())
    assert sparse.float()(torch.randn(5, 96)).dtype == torch.float32


def test_a_wrong_width_names_the_shapes():
    _, sparse = pair()
    with pytest.raises(ValueError, match=r"last size of 96, but x has shape \(5, 95\)"):
        sparse(torch.randn(5, 95))


@pytest.mark.parametrize("x", [None, [1.0], "x", np.zeros((2, 96), np.float32)])
def test_what_is_no_tensor_is_named(x):
    with pytest.raises(TypeError, match=rf"linear\(x, a\): x is {type(x).__name__}, expected a dense tensor"):
        pair()[1](x)


def test_inference_mode_and_no_grad():
    _, sparse = pair()
    x = torch.randn(5, 96)
    with torch.inference_mode():
        y = sparse(x)
    with torch.no_grad():
        assert torch.equal(sparse(x), y)


@pytest.mark.parametrize("name", FORMATS)
def test_it_holds_its_numbers_once_and_builds_the_format_from_them(name):
    dense, sparse = pair(name, m=512, k=480)
    assert not any(isinstance(t, torch.Tensor) for t in vars(sparse).values())
    held = {t.data_ptr(): t.nbytes for t in (*sparse.parameters(), *sparse.buffers())}
    assert sparse.nbytes == sum(held.values())
    assert {t.data_ptr() for t in sparse.plan.packed.tensors} <= set(held)
    assert sparse.plan.nbytes == sparse.plan.packed.nbytes
    made = FORMATS[name][1](dense.weight.detach())
    for part, built in sparse.matrix.components().items():
        assert torch.equal(built, made.components()[part]), part


@pytest.mark.parametrize(("zeros", "share"), [(0.5, 1.0), (0.8, 0.45), (0.9, 0.25)])
def test_its_bytes_against_dense(zeros, share):
    dense = nn.Linear(1024, 768, bias=False)
    prune(dense, zeros)
    assert SparseLinear.from_dense(dense).nbytes <= share * dense.weight.nbytes


@pytest.mark.parametrize("write", ["data", "assign", "vector", "set"])
def test_writes_past_autograds_counter_are_seen(write):
    _, sparse = pair()
    x = torch.randn(5, 96)
    sparse(x)
    new = torch.randn_like(sparse.values)
    if write == "data":
        sparse.values.data.copy_(new)
    elif write == "assign":
        sparse.values.data = new
    elif write == "vector":
        nn.utils.vector_to_parameters(torch.cat([sparse.bias.detach(), new]), [sparse.bias, sparse.values])
    else:
        sparse.values.detach().numpy()[:] = new.numpy()
    torch.testing.assert_close(sparse(x), sparse.to_dense()(x), atol=2e-6, rtol=1e-5)
    assert torch.equal(copy.deepcopy(sparse)(x), sparse(x))


def test_what_stands_in_padding_never_matters_and_gets_no_gradient():
    _, sparse = pair("CSR")
    padding = sparse.plan.packed.entries()[0] < 0
    assert padding.any()
    x = torch.randn(5, 96)
    before = sparse(x)
    before.sum().backward()
    assert not sparse.values.grad[padding].any()
    sparse.values.data[padding] = 1e30
    assert torch.equal(sparse(x), before)


def test_the_caller_can_name_the_kernel():
    _, sparse = pair("BSR 4x1")
    assert sparse.plan.kernel == "cpu/spmm_bsr"
    forced = SparseLinear(sparse.matrix, sparse.bias, kernel="cpu/spmm_csr")
    assert forced.plan.kernel == "cpu/spmm_csr"
    x = torch.randn(5, 96)
    torch.testing.assert_close(forced(x), sparse(x), atol=2e-6, rtol=1e-5)
    with pytest.raises(ValueError, match="there is no kernel 'cpu/best'"):
        SparseLinear(sparse.matrix, kernel="cpu/best")


def test_to_dense_is_the_layer_it_came_from():
    dense, sparse = pair("BSR 4x1")
    back = sparse.to_dense()
    assert torch.equal(back.weight, dense.weight)
    assert torch.equal(back.bias, dense.bias)
    assert back.bias is not dense.bias


def test_it_keeps_what_is_frozen_and_the_mode():
    dense = nn.Linear(8, 8).eval()
    dense.weight.requires_grad_(False)
    sparse = SparseLinear.from_dense(dense)
    assert not sparse.values.requires_grad
    assert sparse.bias.requires_grad
    assert not sparse.training


def test_repr_tells_shape_and_kernel():
    assert "CSR(64x96" in repr(pair()[1])
    assert "cpu/spmm_csr" in repr(pair()[1])


def test_wrong_arguments_name_the_cure():
    with pytest.raises(TypeError, match=r"SparseLinear\.from_dense\(layer\) takes an nn\.Linear"):
        SparseLinear(nn.Linear(2, 2))
    matrix = pair()[1].matrix
    with pytest.raises(ValueError, match=r"bias needs shape \(64,\), but has \(96,\)"):
        SparseLinear(matrix, torch.zeros(96))
    with pytest.raises(TypeError, match=r"bias is a list, expected a tensor or None"):
        SparseLinear(matrix, [0.0] * 64)
    with pytest.raises(TypeError, match=r"from_dense\(layer\): got Embedding, expected an nn\.Linear"):
        SparseLinear.from_dense(nn.Embedding(4, 4))
    with pytest.raises(TypeError, match=r"to_sparse\): got str, expected a callable such as CSR\.from_dense"):
        SparseLinear.from_dense(nn.Linear(4, 4), "CSR")
    for n in (-1, 1.5, "8", True):
        with pytest.raises((TypeError, ValueError), match=r"n"):
            SparseLinear(matrix, n=n)
    with pytest.raises((TypeError, ValueError), match="kernel"):
        SparseLinear(matrix, kernel=3)


def test_its_plan_belongs_to_the_layer_alone():
    _, sparse = pair()
    with pytest.raises(ValueError, match="another structure"):
        spmm(sparse.matrix, torch.randn(96, 4), plan=sparse.plan)
