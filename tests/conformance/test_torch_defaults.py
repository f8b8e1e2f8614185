"""Every kernel of every op under other default dtypes and devices: buffers that C++ writes to have dtypes and devices of their own."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import tamis
from tamis import voxel
from tamis.kernels.reference import brute_force
from tamis.ops import kernel_map, sparse_conv, spmm
from tests.conformance import clouds, matrices

DEFAULTS = ("float64", "bfloat16", "meta", "with meta")


@pytest.fixture(params=DEFAULTS)
def default(request: pytest.FixtureRequest) -> Iterator[str]:
    """Set after the operands are made, by :func:`entered`; taken back in any case."""
    yield request.param
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)


class entered:
    """``with entered(default):`` is ``set_default_dtype``, ``set_default_device`` or ``with torch.device``."""

    def __init__(self, default: str) -> None:
        self.default = default
        self.device = torch.device("meta") if default == "with meta" else None

    def __enter__(self) -> None:
        if self.device is not None:
            self.device.__enter__()
        elif self.default == "meta":
            torch.set_default_device("meta")
        else:
            torch.set_default_dtype(getattr(torch, self.default))

    def __exit__(self, *error: object) -> None:
        if self.device is not None:
            self.device.__exit__(*error)
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("kernel", [k.name for k in spmm.KERNELS])
def test_spmm(default: str, kernel: str) -> None:
    w = matrices.SHAPED["vectors"]().float()
    b, bias, upstream = torch.randn(320, 5), torch.randn(256), torch.randn(256, 5)
    expected = (w @ b + bias[:, None]).relu()
    masked = w.double() != 0
    with entered(default):
        for make in (tamis.CSR.from_dense, lambda w: tamis.BSR.from_dense(w, blocksize=(4, 1))):
            a = make(w)
            if kernel not in {c.kernel for c in tamis.plan_spmm(a, 5).candidates if c.refusal is None}:
                continue
            plan = tamis.plan_spmm(a, 5, kernel=kernel)
            c = tamis.spmm(a, b, plan=plan, bias=bias, activation="relu")
            torch.testing.assert_close(c, expected, atol=1e-3, rtol=1e-3)
            values, x = a.values.clone().requires_grad_(), b.clone().requires_grad_()
            y = tamis.spmm(a.with_values(values), x, plan=plan)
            d_values, d_x = torch.autograd.grad(y, (values, x), upstream)
            torch.testing.assert_close(d_x, w.T @ upstream, atol=1e-3, rtol=1e-3)
            dense = a.with_values(d_values).to_dense()
            torch.testing.assert_close(dense[masked], (upstream @ b.T)[masked], atol=1e-3, rtol=1e-3)
            quantized = tamis.formats.quantize_rows(a)
            product = tamis.linear(
                b.T.contiguous(), quantized, plan=tamis.plan_spmm(quantized, 5, kernel=kernel)
            )
            torch.testing.assert_close(product.T, quantized.to_dense() @ b, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kernel", [k.name for k in kernel_map.KERNELS])
@pytest.mark.parametrize("rule", ["minkowski", "spconv"])
def test_kernel_map(default: str, kernel: str, rule: voxel.map_specs.Rule) -> None:
    coords = clouds.random(200, 9)
    for kernel_size, stride in ((3, 1), (2, 2), (3, 2)):
        expected = voxel.kernel_map(coords, kernel_size, stride, rule=rule)
        with entered(default):
            found = voxel.kernel_map(coords.clone(), kernel_size, stride, rule=rule, kernel=kernel)
            table, cuts = found.out_in, found.cuts
        assert torch.equal(table, brute_force(coords, expected.out_coords, expected.offsets))
        assert torch.equal(cuts, expected.cuts)


@pytest.mark.parametrize("kernel", [k.name for k in sparse_conv.KERNELS])
@pytest.mark.parametrize("stride", [1, 2])
def test_sparse_conv(default: str, kernel: str, stride: int) -> None:
    dataflow = kernel.partition("sparse_conv_")[2]
    coords = clouds.random(300, 8)
    found = voxel.kernel_map(coords, 3, stride)
    feats, weight = torch.randn(found.in_rows, 6), torch.randn(27, 3, 8)
    bias, scale, upstream = torch.randn(8), torch.rand(8), torch.randn(found.out_rows, 8)
    residual = torch.randn(found.out_rows, 8)

    def run(x: Tensor, w: Tensor, one: kernel_map.KernelMap, flow: str) -> list[Tensor]:
        x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
        kinds = {"bias": bias, "scale": scale, "residual": residual}
        extra = {name: tensor.to(x.dtype) for name, tensor in kinds.items()}
        y = sparse_conv.sparse_conv(x, w, one, groups=2, relu=True, dataflow=flow, **extra)  # type: ignore[arg-type]
        return [y, *torch.autograd.grad(y, (x, w), upstream.to(x.dtype))]

    expected = run(feats.double(), weight.double(), found, "weight_stationary")
    with entered(default):
        result = run(feats, weight, voxel.kernel_map(coords.clone(), 3, stride), dataflow)
    for ours, exact in zip(result, expected, strict=True):
        assert (ours.dtype, ours.device.type) == (torch.float32, "cpu")
        torch.testing.assert_close(ours.double(), exact, atol=1e-3, rtol=1e-3)


def test_a_network_forward_and_backward(default: str) -> None:
    torch.manual_seed(0)
    coords = clouds.random(300, 9).flip(0)
    feats = torch.randn(len(coords), 4)
    network = voxel.networks.MinkUNet14(4, 5, width=0.25)

    def run(net: nn.Module) -> list[Tensor]:
        x = voxel.VoxelTensor(coords, feats)
        y = net(x, plan=voxel.plan(net, x))  # type: ignore[arg-type]
        loss = y.feats.square().sum()
        return [y.feats, *torch.autograd.grad(loss, list(net.parameters()))]

    expected = run(copy.deepcopy(network).eval())
    with entered(default):
        result = run(copy.deepcopy(network).eval())
    for ours, before in zip(result, expected, strict=True):
        assert ours.device.type == "cpu"
        torch.testing.assert_close(ours, before)


def test_a_sparsified_model_and_its_copy(default: str) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(64, 64)).eval(), torch.randn(5, 64)
    tamis.prune(model, 0.8)
    expected = model(x)
    with entered(default):
        tamis.sparsify(model, x, replace="everywhere", times="predicted")
        for one in (model, copy.deepcopy(model)):
            assert isinstance(one[0], tamis.nn.SparseLinear)
            torch.testing.assert_close(one(x), expected)


def test_what_has_no_numbers_is_refused() -> None:
    """Before, C++ read from address 0."""
    a = tamis.CSR.from_dense(torch.eye(8))
    nowhere = torch.empty(3, dtype=torch.int32, device="meta")
    layout = voxel.choose_layout(torch.zeros(1, 4, dtype=torch.int32))
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        kernel_map.build_map(nowhere, nowhere, layout, kernel_map.kernel_offsets((3, 3, 3)))
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        tamis.plan_spmm(a.to("meta"), 8)
