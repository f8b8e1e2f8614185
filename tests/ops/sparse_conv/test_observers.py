"""Tracers, transforms and modes see a sparse convolution and a pooling as they see the same sums made of torch's own operators."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

from tamis import voxel
from tamis.ops.kernel_map import KernelMap
from tamis.ops.sparse_conv import plan_conv, sparse_conv
from tamis.ops.sparse_pool import global_pool, sparse_pool

Function = Callable[[Tensor], Tensor]


def cloud() -> Tensor:
    coords = torch.randint(0, 4, (40, 4), generator=torch.Generator().manual_seed(0))
    coords[:, 0] %= 2
    return coords.unique(dim=0).int()


COORDS = cloud()
ROWS = len(COORDS)


def gathered(x: Tensor, found: KernelMap) -> Tensor:
    """The neighbours of every output, zeros for missing ones, shape (out_rows, kernel_volume, channels)."""
    table = found.out_in.long()
    return torch.where((table >= 0)[:, :, None], x[table.clamp(min=0)], 0.0)


@pytest.fixture
def setting() -> tuple[KernelMap, Tensor, Tensor]:
    torch.manual_seed(0)
    return voxel.kernel_map(COORDS, 3), torch.randn(ROWS, 4), 0.3 * torch.randn(27, 4, 5)


def tangent(function: Function, x: Tensor) -> Tensor:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(function(forward_ad.make_dual(x, torch.ones_like(x)))).tangent


def gradient_of_gradient(function: Function, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(x).pow(2).sum(), x, create_graph=True)
    return torch.autograd.grad(gradient.pow(2).sum(), x)[0]


TRANSFORMS: dict[str, Callable[[Function, Tensor], Tensor]] = {
    "forward-mode AD": tangent,
    "jvp": lambda f, x: torch.func.jvp(f, (x,), (torch.ones_like(x),))[1],
    "vjp": lambda f, x: torch.func.vjp(f, x)[1](torch.ones_like(f(x)))[0],
    "vmap": lambda f, x: torch.func.vmap(f)(torch.stack([x, -2 * x])),
    "jacrev": lambda f, x: torch.func.jacrev(f)(x),
    "jacfwd": lambda f, x: torch.func.jacfwd(f)(x),
    "double backward": gradient_of_gradient,
}


@pytest.mark.parametrize("gradients", [True, False], ids=["grad", "no_grad"])
@pytest.mark.parametrize("operand", ["feats", "weight"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_of_a_convolution(
    setting: tuple[KernelMap, Tensor, Tensor], name: str, operand: str, gradients: bool
) -> None:
    if name == "double backward" and not gradients:
        return
    found, feats, weight = setting

    def ours(given: Tensor) -> Tensor:
        x, w = (given, weight) if operand == "feats" else (feats, given)
        return sparse_conv(x, w, found, relu=True)

    def theirs(given: Tensor) -> Tensor:
        x, w = (given, weight) if operand == "feats" else (feats, given)
        return torch.einsum("nkc,kcd->nd", gathered(x, found), w).relu()

    given = feats if operand == "feats" else weight
    with torch.set_grad_enabled(gradients):
        result, expected = (TRANSFORMS[name](f, given) for f in (ours, theirs))
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dataflow", ["output_stationary", "weight_stationary", "hybrid"])
@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 2)])
def test_second_derivatives_in_float64(dataflow: Any, stride: int, groups: int) -> None:
    found = voxel.kernel_map(COORDS, 3, stride)
    feats = torch.randn(found.in_rows, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(27, 4 // groups, 6, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, w: Tensor) -> Tensor:
        return sparse_conv(x, w, found, groups=groups, dataflow=dataflow)

    assert torch.autograd.gradgradcheck(run, (feats, weight), fast_mode=True)


@pytest.mark.parametrize("residual", [False, True])
def test_the_scale_has_a_gradient(setting: tuple[KernelMap, Tensor, Tensor], residual: bool) -> None:
    found, feats, weight = setting
    scale, bias = torch.rand(5).requires_grad_(), torch.randn(5)
    added = torch.randn(ROWS, 5) if residual else None
    sums = torch.einsum("nkc,kcd->nd", gathered(feats, found), weight)
    expected = (sums * scale + bias + (0 if added is None else added)).relu()
    result = sparse_conv(feats, weight, found, scale=scale, bias=bias, residual=added, relu=True)
    torch.testing.assert_close(result, expected)
    gradients = [torch.autograd.grad(y.square().sum(), scale)[0] for y in (result, expected)]
    torch.testing.assert_close(*gradients)


def pooled(kind: str, found: KernelMap) -> tuple[Function, Function]:
    """Ours, and the same made of torch's own operators."""
    there = (found.out_in >= 0)[:, :, None]

    def theirs(x: Tensor) -> Tensor:
        rows = gathered(x, found)
        if kind == "max":
            return torch.where(there, rows, -torch.inf).amax(1)
        return rows.sum(1) / (there.sum(1) if kind == "mean" else 1)

    return lambda x: sparse_pool(x, found, kind), theirs  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["max", "mean", "sum"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_of_a_pooling(setting: tuple[KernelMap, Tensor, Tensor], name: str, kind: str) -> None:
    found, feats, _ = setting
    ours, theirs = pooled(kind, found)
    result, expected = (TRANSFORMS[name](f, feats) for f in (ours, theirs))
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["max", "mean", "sum"])
def test_vmap_of_a_pooling_over_scenes(kind: Any) -> None:
    rows, feats = COORDS[:, 0].long(), torch.randn(3, ROWS, 4)
    expected = torch.stack([global_pool(x, rows, 2, kind) for x in feats])
    torch.testing.assert_close(torch.func.vmap(lambda x: global_pool(x, rows, 2, kind))(feats), expected)


class OnFeatures(nn.Module):
    """A network as a function of features; with a plan or without."""

    def __init__(self, plan: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = voxel.Sequential(
            voxel.ConvBlock(voxel.SubmanifoldConv3d(4, 5)),
            voxel.SparseConv3d(5, 6),
            voxel.Pool3d("mean"),
            voxel.GlobalPool("sum"),
        ).eval()
        self.plan = voxel.plan(self.network, COORDS) if plan else None

    def forward(self, feats: Tensor) -> Tensor:
        pooled: Tensor = self.network(voxel.VoxelTensor(COORDS, feats), plan=self.plan)
        return pooled


@pytest.mark.parametrize("gradients", [True, False], ids=["grad", "no_grad"])
@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("plan", [True, False], ids=["plan", "no plan"])
def test_transforms_of_a_network(name: str, plan: bool, gradients: bool) -> None:
    """Against finite differences in one direction, and one call after the other."""
    if name == "double backward" and not gradients:
        return
    model, x = OnFeatures(plan), torch.randn(ROWS, 4)
    direction = torch.ones_like(x)
    with torch.no_grad():
        change = (model(x + 1e-2 * direction) - model(x - 1e-2 * direction)) / 2e-2
        batch = torch.stack([model(x), model(-2 * x)])
    with torch.set_grad_enabled(gradients):
        result = TRANSFORMS[name](model, x)
    if name == "vmap":
        torch.testing.assert_close(result, batch, atol=1e-4, rtol=1e-4)
    elif name in ("forward-mode AD", "jvp"):
        torch.testing.assert_close(result, change, atol=2e-2, rtol=2e-2)
    elif name in ("jacrev", "jacfwd"):
        torch.testing.assert_close(result.sum((2, 3)), change, atol=2e-2, rtol=2e-2)
    elif name == "vjp":
        one = torch.func.vjp(model, x)[0]
        (expected,) = torch.autograd.grad(model(given := x.clone().requires_grad_()).sum(), given)
        torch.testing.assert_close((result, one), (expected, model(x)))
    else:
        square = torch.func.grad(lambda x: model(x).pow(2).sum())
        expected = torch.func.grad(lambda x: square(x).pow(2).sum())(x)
        assert (result - expected).norm() <= 1e-4 * expected.norm()
        assert expected.norm() > 0


@pytest.mark.parametrize("gradients", [True, False], ids=["grad", "no_grad"])
def test_a_trace_gives_what_the_network_gives(gradients: bool) -> None:
    model = OnFeatures(plan=True)
    with torch.set_grad_enabled(gradients):
        traced = torch.jit.trace(model, torch.randn(ROWS, 4))
        for _ in range(3):
            x = torch.randn(ROWS, 4)
            torch.testing.assert_close(traced(x), model(x))


def test_a_trace_takes_a_plan_but_makes_none() -> None:
    with pytest.raises(RuntimeError, match=r"trace network\(x, plan=plan\)"):
        torch.jit.trace(OnFeatures(plan=False), torch.randn(ROWS, 4))


def test_a_traced_plan_is_not_used_for_other_coordinates() -> None:
    class OnBoth(OnFeatures):
        def forward(self, coords: Tensor, feats: Tensor) -> Tensor:  # type: ignore[override]
            pooled: Tensor = self.network(voxel.VoxelTensor(coords, feats), plan=self.plan)
            return pooled

    model, x = OnBoth(plan=True), torch.randn(ROWS, 4)
    traced = torch.jit.trace(model, (COORDS, x), check_trace=False)
    torch.testing.assert_close(traced(COORDS, x), model(COORDS, x))
    moved = COORDS.clone()
    moved[-1, 3] += 1
    with pytest.raises(RuntimeError, match="not those of x"):
        traced(moved, x)


class Seen(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_a_dispatch_mode_and_a_profiler_see_the_operators() -> None:
    model, x = OnFeatures(plan=True), torch.randn(ROWS, 4)
    with torch.no_grad():
        expected = model(x)
        with Seen() as seen:
            assert torch.equal(model(x), expected)
        with torch.profiler.profile() as profile:
            model(x)
    assert seen.names.count("tamis.sparse_conv.default") == 2
    events = {event.key: event.count for event in profile.key_averages()}
    assert events["tamis::sparse_conv"] == 2


def test_fake_tensors_have_the_shapes_of_the_results() -> None:
    found, weight = voxel.kernel_map(COORDS, 3), torch.randn(27, 4, 5)  # no plan is kept on the map yet
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        y = sparse_conv(mode.from_tensor(torch.randn(ROWS, 4)), mode.from_tensor(weight), found)
    assert (y.shape, y.dtype) == ((ROWS, 5), torch.float32)
    half = mode.from_tensor(weight)
    assert sparse_conv(torch.randn(ROWS, 4), half, found).shape == (ROWS, 5)  # one fake operand is enough
    real = torch.randn(ROWS, 4)
    torch.testing.assert_close(
        sparse_conv(real, weight, found), torch.einsum("nkc,kcd->nd", gathered(real, found), weight)
    )


def test_a_plan_made_in_inference_mode_serves_training() -> None:
    network = voxel.Sequential(voxel.SubmanifoldConv3d(4, 5), voxel.SparseConv3d(5, 6), voxel.Pool3d("mean"))
    points, feats = torch.rand(200, 3), torch.randn(200, 4)
    with torch.inference_mode():
        x = voxel.voxelize(points, 0.25, feats)
        shuffled = x.coords.flip(0)
        made = voxel.plan(network, shuffled)
        x.sorted_keys()
    for coords, plan in ((shuffled, made), (shuffled, None), (x.coords, None)):
        inputs = x.feats.clone().requires_grad_()
        y = network(voxel.VoxelTensor(coords, inputs), plan=plan)
        y.feats.sum().backward()
        assert inputs.grad is not None
        assert all(p.grad is not None for p in network.parameters())
    at_points = x.feats.clone().requires_grad_()
    at_points[x.row_of_point].sum().backward()


def test_a_plan_survives_pickle_and_deepcopy() -> None:
    import copy

    network = voxel.Sequential(voxel.SubmanifoldConv3d(4, 5), voxel.SparseConv3d(5, 6), voxel.Pool3d("max"))
    coords = COORDS.flip(0).clone()
    coords[:, 1:] += 1  # it was changed in place before, so its version is not 0
    x = voxel.VoxelTensor(coords, torch.randn(ROWS, 4))
    plan = voxel.plan(network, x)
    with torch.no_grad():
        expected = network(x, plan=plan).feats  # the plan holds native records now
        for copied in (pickle.loads(pickle.dumps((x, plan))), copy.deepcopy((x, plan))):
            assert torch.equal(network(copied[0], plan=copied[1]).feats, expected)
            assert torch.equal(network(x, plan=copied[1]).feats, expected)
            assert torch.equal(network(copied[0]).feats, expected)
        coords[0, 1] += 50
        for copied in (pickle.loads(pickle.dumps((x, plan))), copy.deepcopy((x, plan))):
            with pytest.raises(ValueError, match="plan's coordinates"):
                network(copied[0], plan=copied[1])
            assert not torch.equal(network(copied[0]).feats, expected)


def test_the_gradients_are_sound_operators_themselves(setting: tuple[KernelMap, Tensor, Tensor]) -> None:
    found, feats, weight = setting
    pairs = plan_conv(found, 4, 5).pairs
    feats, weight, grad = (t.requires_grad_() for t in (feats, weight, torch.randn(ROWS, 5)))
    rest = (pairs.tensors, pairs.sizes)
    kernel = "cpu/sparse_conv_blocked"
    operators = torch.ops.tamis
    torch.library.opcheck(
        operators.sparse_conv_input_gradient.default, (grad, weight, *rest, ROWS, 1, kernel)
    )
    torch.library.opcheck(operators.sparse_conv_weight_gradient.default, (feats, grad, *rest, 1, kernel))
    torch.library.opcheck(operators.planned_rows.default, (COORDS, COORDS, torch.arange(ROWS)))


def test_the_operator_refuses_a_gradient_that_it_does_not_have(
    setting: tuple[KernelMap, Tensor, Tensor],
) -> None:
    """A graph recorded in eval mode may be run where gradients are wanted."""
    found, feats, weight = setting
    pairs, scale = plan_conv(found, 4, 5).pairs, torch.rand(5, requires_grad=True)
    arguments = (pairs.tensors, pairs.sizes, 1, False, "cpu/sparse_conv_blocked")
    y = torch.ops.tamis.sparse_conv(feats, weight, None, scale, None, *arguments)
    with pytest.raises(NotImplementedError, match="no gradient of scale"):
        y.sum().backward()
