"""Sparse convolution: every dataflow against dense convolution and float64, gradients, and equal bits."""

import pytest
import torch

from tamis import voxel
from tamis.kernels import Epilogue, reference
from tamis.kernels.cpu.native import force_isa, native
from tamis.ops.sparse_conv import DATAFLOWS, KERNELS, plan_conv, sparse_conv
from tamis.ops.sparse_pool import sparse_pool

ISAS = native().isas_supported()


def cloud(points: int, size: int, *, seed: int = 0, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coords = torch.randint(0, size, (points, 4), generator=generator)
    coords[:, 0] = torch.randint(0, batch, (points,), generator=generator)
    return coords.unique(dim=0).int()


def setting(c_in, c_out, *, points=900, size=12, kernel_size=3, stride=1, groups=1, dtype=torch.float32):
    """Sorted features, weights and their map."""
    found = voxel.kernel_map(cloud(points, size), kernel_size, stride)
    generator = torch.Generator().manual_seed(c_in * 1000 + c_out)
    feats = torch.randn(found.in_rows, c_in, generator=generator).to(dtype)
    weight = torch.randn(found.kernel_volume, c_in // groups, c_out, generator=generator).to(dtype)
    return feats, weight, found


def exact(feats, weight, found, groups=1):
    return reference.sparse_conv_weight_stationary(
        found.pair_lists, feats.double(), weight.double(), Epilogue(), groups
    )


@pytest.fixture(params=ISAS)
def isa(request):
    force_isa(request.param)
    yield request.param
    force_isa("auto")


def close(result, expected, dtype=torch.float32):
    """Error against the norm of the row, per dtype."""
    tolerance = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.2e-2}[dtype]
    scale = expected.abs().max().clamp(min=1)
    assert ((result.double() - expected).abs().max() / scale) < tolerance


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_submanifold_equals_dense_convolution_at_the_inputs(dataflow):
    coords = cloud(700, 10)
    found = voxel.kernel_map(coords, 3)
    feats, weight = torch.randn(len(coords), 5), torch.randn(27, 5, 7)
    grid = torch.zeros(2, 5, 10, 10, 10)
    at = coords.long().unbind(1)
    grid[at[0], :, at[1], at[2], at[3]] = feats
    dense = torch.nn.functional.conv3d(grid, weight.reshape(3, 3, 3, 5, 7).permute(4, 3, 0, 1, 2), padding=1)
    close(sparse_conv(feats, weight, found, dataflow=dataflow), dense[at[0], :, at[1], at[2], at[3]].double())


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize(("kernel_size", "stride", "pad"), [(3, 2, 1), (2, 2, 0), (5, 3, 2)])
def test_strided_equals_dense_convolution_at_the_cells(dataflow, kernel_size, stride, pad):
    coords = cloud(500, 12)
    found = voxel.kernel_map(coords, kernel_size, stride)
    feats, weight = torch.randn(len(coords), 4), torch.randn(kernel_size**3, 4, 6)
    grid = torch.zeros(2, 4, 12, 12, 12)
    at = coords.long().unbind(1)
    grid[at[0], :, at[1], at[2], at[3]] = feats
    kernel = weight.reshape(*[kernel_size] * 3, 4, 6).permute(4, 3, 0, 1, 2)
    dense = torch.nn.functional.conv3d(grid, kernel, padding=pad, stride=stride)
    cell = found.out_coords.long()
    cell[:, 1:] //= stride
    cell = cell.unbind(1)
    close(
        sparse_conv(feats, weight, found, dataflow=dataflow),
        dense[cell[0], :, cell[1], cell[2], cell[3]].double(),
    )


@pytest.mark.parametrize("c_in", [1, 3, 4, 16, 31, 32, 128, 129, 260])
@pytest.mark.parametrize("c_out", [1, 3, 16, 20, 32, 48, 64, 96, 128, 135])
def test_blocked_kernel_for_all_channel_counts(isa, c_in, c_out):
    feats, weight, found = setting(c_in, c_out, points=300, size=8)
    close(sparse_conv(feats, weight, found), exact(feats, weight, found))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("c_in", "c_out"), [(4, 32), (16, 16), (37, 53), (64, 64), (130, 40)])
def test_half_precision_sums_in_float32(isa, dtype, c_in, c_out):
    feats, weight, found = setting(c_in, c_out, dtype=dtype)
    result = sparse_conv(feats, weight, found)
    assert result.dtype == dtype
    close(result, exact(feats, weight, found), dtype)


@pytest.mark.parametrize(
    ("groups", "c_in", "c_out"), [(2, 8, 6), (4, 64, 128), (40, 40, 40), (64, 64, 64), (5, 5, 10)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_groups_and_depthwise(isa, groups, c_in, c_out, dtype):
    feats, weight, found = setting(c_in, c_out, groups=groups, dtype=dtype)
    close(sparse_conv(feats, weight, found, groups=groups), exact(feats, weight, found, groups), dtype)


@pytest.mark.parametrize(
    ("kernel_size", "stride"), [(1, 1), (2, 1), (2, 2), (3, 2), (5, 1), ((3, 1, 1), (2, 1, 1))]
)
@pytest.mark.parametrize("turned", [False, True])
def test_every_kind_of_map(isa, kernel_size, stride, turned):
    _, weight, found = setting(24, 40, kernel_size=kernel_size, stride=stride)
    found = found.transposed() if turned else found
    feats = torch.randn(found.in_rows, 24)
    close(sparse_conv(feats, weight, found), exact(feats, weight, found))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("with_scale", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_epilogue(isa, dtype, with_scale, with_bias, with_residual, relu):
    feats, weight, found = setting(16, 23, dtype=dtype)
    scale = torch.rand(23) + 0.5 if with_scale else None
    bias = torch.randn(23) if with_bias else None
    residual = torch.randn(found.out_rows, 23).to(dtype) if with_residual else None
    expected = exact(feats, weight, found)
    expected = expected * scale.double() if with_scale else expected
    expected = expected + bias.double() if with_bias else expected
    expected = expected + residual.double() if with_residual else expected
    expected = expected.relu() if relu else expected
    close(
        sparse_conv(feats, weight, found, bias=bias, scale=scale, residual=residual, relu=relu),
        expected,
        dtype,
    )


def test_nan_and_infinity_pass_through(isa):
    feats, weight, found = setting(16, 16)
    feats[5, 3], feats[9, 0] = float("nan"), float("inf")
    expected = exact(feats, weight, found)
    for relu in (False, True):
        result = sparse_conv(feats, weight, found, relu=relu)
        assert torch.equal(result.isnan(), (expected.relu() if relu else expected).isnan())


@pytest.mark.parametrize(("c_in", "c_out"), [(4, 32), (32, 32), (64, 96), (200, 16)])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_bits_for_any_number_of_threads(isa, c_in, c_out, stride):
    feats, weight, found = setting(c_in, c_out, points=6000, size=24, stride=stride)
    before = torch.get_num_threads()
    results, gradients = [], []
    try:
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            weight = weight.detach().requires_grad_()
            x = feats.detach().requires_grad_()
            result = sparse_conv(x, weight, found)
            result.square().sum().backward()
            results.append(result.detach())
            gradients.append((x.grad, weight.grad))
    finally:
        torch.set_num_threads(before)
    for result, gradient in zip(results[1:], gradients[1:], strict=True):
        assert torch.equal(result, results[0])
        assert torch.equal(gradient[0], gradients[0][0])
        assert torch.equal(gradient[1], gradients[0][1])


def test_an_output_does_not_depend_on_the_rest_of_the_batch(isa):
    """Bitwise: other scenes shift the scene to other blocks and other rows of a register tile."""
    one, other = cloud(900, 10, batch=1), cloud(517, 10, batch=1, seed=7)
    both = torch.cat([other, one + torch.tensor([1, 0, 0, 0], dtype=torch.int32)])
    feats, weight = torch.randn(len(both), 24), torch.randn(27, 24, 40)
    alone = sparse_conv(feats[len(other) :], weight, voxel.kernel_map(one, 3))
    together = sparse_conv(feats, weight, voxel.kernel_map(both, 3))
    assert torch.equal(together[len(other) :], alone)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("turned", [False, True])
def test_a_map_of_unsorted_coordinates_takes_and_gives_the_callers_rows(stride, turned):
    coords = cloud(400, 8)
    shuffle = torch.randperm(len(coords), generator=torch.Generator().manual_seed(2))
    ordered, shuffled = voxel.kernel_map(coords, 3, stride), voxel.kernel_map(coords[shuffle], 3, stride)
    if turned:
        ordered, shuffled = ordered.transposed(), shuffled.transposed()
    feats, weight = torch.randn(ordered.in_rows, 4), torch.randn(27, 4, 6)
    residual = torch.randn(ordered.out_rows, 6)
    rows_in = shuffle if ordered.in_rows == len(coords) and not (turned and stride > 1) else slice(None)
    rows_out = shuffle if stride == 1 or turned else slice(None)
    expected = sparse_conv(feats, weight, ordered, residual=residual)
    result = sparse_conv(feats[rows_in], weight, shuffled, residual=residual[rows_out])
    assert torch.equal(result, expected[rows_out])
    pooled = sparse_pool(feats[rows_in], shuffled, "max")
    assert torch.equal(pooled, sparse_pool(feats, ordered, "max")[rows_out])


@pytest.mark.parametrize("dataflow", ["output_stationary", "weight_stationary", "hybrid"])
@pytest.mark.parametrize(("stride", "turned"), [(1, False), (2, False), (2, True)])
def test_gradients_in_float64(dataflow, stride, turned):
    found = voxel.kernel_map(cloud(25, 4), 3, stride)
    found = found.transposed() if turned else found
    feats = torch.randn(found.in_rows, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(27, 2, 6, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(6, dtype=torch.float64, requires_grad=True)
    residual = torch.randn(found.out_rows, 6, dtype=torch.float64, requires_grad=True)

    def run(x, w, b, r):
        return sparse_conv(x, w, found, bias=b, residual=r, groups=2, relu=True, dataflow=dataflow)

    assert torch.autograd.gradcheck(run, (feats, weight, bias, residual), fast_mode=True)


@pytest.mark.parametrize(
    ("c_in", "c_out", "groups"), [(3, 5, 1), (16, 16, 1), (32, 64, 1), (40, 96, 1), (64, 64, 2), (8, 8, 8)]
)
@pytest.mark.parametrize(("stride", "turned"), [(1, False), (2, False), (2, True)])
def test_gradients_of_the_blocked_kernel(isa, c_in, c_out, groups, stride, turned):
    _, weight, found = setting(c_in, c_out, points=3000, size=20, stride=stride, groups=groups)
    found = found.transposed() if turned else found
    feats, slope = torch.randn(found.in_rows, c_in), torch.randn(found.out_rows, c_out)
    gradients = []
    for dtype, dataflow in ((torch.float32, "blocked"), (torch.float64, "weight_stationary")):
        x, w = (tensor.to(dtype, copy=True).requires_grad_() for tensor in (feats, weight))
        y = sparse_conv(x, w, found, groups=groups, dataflow=dataflow)
        y.backward(slope.to(dtype))
        gradients.append((x.grad, w.grad))
    close(gradients[0][0], gradients[1][0])
    close(gradients[0][1], gradients[1][1])


def plane(size=40):
    """A slanted sheet: near neighbours are dense, far ones rare, as on scanned surfaces."""
    x, y = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    cells = torch.stack([torch.zeros_like(x), x, y, (x + y) // 3], -1).reshape(-1, 4)
    return cells.int()


def test_cost_model_splits_the_hybrid_by_density():
    surface = voxel.kernel_map(plane(), 3)
    dense = plan_conv(surface, 64, 64, dataflow="hybrid").pairs.dense_offsets.tolist()
    distance = surface.l1_distances
    assert 13 in dense
    assert 0 < len(dense) < 27
    assert max(distance[offset] for offset in dense) < min(distance[o] for o in range(27) if o not in dense)


def test_cost_model_prefers_output_stationary_on_full_maps_and_not_on_scattered_voxels():
    full = torch.cartesian_prod(torch.arange(1), *[torch.arange(12)] * 3).int()
    scattered = cloud(400, 60)
    for coords, better in ((full, "output_stationary"), (scattered, "weight_stationary")):
        found = plan_conv(voxel.kernel_map(coords, 3), 64, 64).times_us
        rest = {"output_stationary", "weight_stationary"} - {better}
        assert found[better] < found[rest.pop()]
        assert found["hybrid"] > 0


def test_a_plan_explains_itself():
    surface = voxel.kernel_map(plane(), 3)
    plan = plan_conv(surface, 64, 64)
    assert plan.kernel == "cpu/sparse_conv_blocked"
    assert plan.reason.startswith("cost model")
    lines = plan.explain().splitlines()
    assert lines[0].startswith(
        f"sparse_conv over {surface.pairs} pairs of 27 offsets, 64 -> 64, float32, cpu"
    )
    assert [line.split()[0] for line in lines[2:]] == [kernel.name for kernel in KERNELS]
    assert "<- chosen" in lines[2]
    assert all("not taken: reference code" in line for line in lines[3:])
    assert all(f"{name} " in plan.summary() for name in DATAFLOWS)
    named = plan_conv(surface, 64, 64, dataflow="hybrid")
    assert "runs hybrid (chosen by the caller)" in named.summary()
    double = plan_conv(surface, 64, 64, dtype=torch.float64, dataflow="hybrid")
    assert "cannot serve: values are float64" in double.explain()


def test_a_plan_is_kept_on_its_map_and_made_once():
    feats, weight, found = setting(8, 8)
    sparse_conv(feats, weight, found)
    (kept,) = found.plans.values()
    sparse_conv(feats * 2, weight * 2, found)
    assert list(found.plans.values()) == [kept]
    assert found.transposed().plans == {}


def test_empty_clouds():
    empty = voxel.kernel_map(torch.empty(0, 4, dtype=torch.int32), 3)
    weight = torch.randn(27, 4, 8, requires_grad=True)
    for dataflow in DATAFLOWS:
        out = sparse_conv(torch.empty(0, 4), weight, empty, dataflow=dataflow)
        assert out.shape == (0, 8)
        out.sum().backward()
    assert weight.grad.abs().max() == 0


def test_compiles_to_one_graph():
    feats, weight, found = setting(16, 16)
    plan = plan_conv(found, 16, 16)

    def layer(x, w):
        y = torch.ops.tamis.sparse_conv(
            x, w, None, None, None, plan.pairs.tensors, plan.pairs.sizes, 1, True, plan.kernel
        )
        return y * 2

    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(feats, weight), layer(feats, weight))


def test_operator_registration_is_sound():
    feats, weight, found = setting(4, 8, points=60, size=5)
    arguments = (
        feats.requires_grad_(),
        weight.requires_grad_(),
        torch.randn(8, requires_grad=True),
        None,
        None,
    )
    plan = plan_conv(found, 4, 8)
    arguments += (plan.pairs.tensors, plan.pairs.sizes, 1, True, plan.kernel)
    torch.library.opcheck(torch.ops.tamis.sparse_conv.default, arguments)


def test_bad_calls_say_what_to_do():
    feats, weight, found = setting(8, 8)
    with pytest.raises(ValueError, match="another set of voxels"):
        sparse_conv(feats[1:], weight, found)
    with pytest.raises(ValueError, match="offset, input channel, output channel"):
        sparse_conv(feats, weight[:, :4], found)
    with pytest.raises(ValueError, match="feats is torch"):
        sparse_conv(feats, weight.double(), found)
    with pytest.raises(ValueError, match=r"bias needs shape \(8,\)"):
        sparse_conv(feats, weight, found, bias=torch.ones(3))
    with pytest.raises(ValueError, match="kernel_map is on cpu"):
        sparse_conv(feats.to("meta"), weight.to("meta"), found)
    with pytest.raises(ValueError, match="scale is on meta"):
        sparse_conv(feats, weight, found, scale=torch.ones(8, device="meta"))
    with pytest.raises(ValueError, match="must divide"):
        sparse_conv(feats, weight[:, :4, :7], found, groups=2)
    with pytest.raises(NotImplementedError, match="no kernel can serve"):
        sparse_conv(feats.double(), weight.double(), found)
    with pytest.raises(ValueError, match="dataflow"):
        sparse_conv(feats, weight, found, dataflow="dense")
