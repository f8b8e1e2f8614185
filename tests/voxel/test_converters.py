"""Weights of other engines: against arrays filled by hand in their published order, and against spconv itself."""

import itertools

import pytest
import torch

from tamis import voxel
from tamis.voxel.converters import from_minkowski, from_openpcdet, from_spconv, from_torchsparse
from tamis.voxel.networks import VoxelBackBone8x, VoxelResBackBone8x


def value(dx, dy, dz, c_in, c_out):
    """A different number for every entry of a kernel."""
    return dx + 10 * dy + 100 * dz + 1000 * c_in + 10000 * c_out


def taps(size):
    return range(-((size - 1) // 2), size // 2 + 1)


def canonical(kernel, c_in=2, c_out=3):
    weight = torch.empty(kernel[0] * kernel[1] * kernel[2], c_in, c_out)
    for row, (dx, dy, dz) in enumerate(itertools.product(*map(taps, kernel))):
        for i, o in itertools.product(range(c_in), range(c_out)):
            weight[row, i, o] = value(dx, dy, dz, i, o)
    return weight


@pytest.mark.parametrize("kernel", [(3, 3, 3), (2, 2, 2), (3, 1, 2), (1, 1, 3), (5, 5, 5)])
@pytest.mark.parametrize("axes", ["xyz", "zyx"])
def test_spconv_keeps_kernel_axes_in_the_order_of_the_columns(kernel, axes):
    shape = kernel if axes == "xyz" else kernel[::-1]
    theirs = torch.empty(3, *shape, 2)
    for at in itertools.product(*(range(size) for size in kernel)):
        offset = [list(taps(size))[i] for size, i in zip(kernel, at, strict=True)]
        place = at if axes == "xyz" else at[::-1]
        for i, o in itertools.product(range(2), range(3)):
            theirs[o, place[0], place[1], place[2], i] = value(*offset, i, o)
    state = from_spconv({"a.weight": theirs, "a.bias": torch.ones(3)}, axes=axes)
    assert torch.equal(state["a.weight"], canonical(kernel))
    assert torch.equal(state["a.bias"], torch.ones(3))


def listed(kernel, x_fastest):
    order = (
        [(x, y, z) for z in taps(kernel[2]) for y in taps(kernel[1]) for x in taps(kernel[0])]
        if x_fastest
        else list(itertools.product(*map(taps, kernel)))
    )
    return torch.stack(
        [torch.tensor([[value(*d, i, o) for o in range(3)] for i in range(2)]) for d in order]
    ).float()


@pytest.mark.parametrize("kernel", [(3, 3, 3), (2, 2, 2), (3, 1, 2), (1, 1, 3), (5, 5, 5)])
def test_minkowski_runs_the_first_axis_fastest(kernel):
    state = from_minkowski(
        {"a.kernel": listed(kernel, True), "a.bias": torch.ones(1, 3)}, lambda name: kernel
    )
    assert torch.equal(state["a.weight"], canonical(kernel))
    assert state["a.bias"].shape == (3,)


@pytest.mark.parametrize("kernel", [(3, 3, 3), (2, 2, 2), (3, 1, 2), (1, 1, 3), (5, 5, 5)])
def test_torchsparse_order_depends_on_the_parity_of_the_volume(kernel):
    odd = kernel[0] * kernel[1] * kernel[2] % 2 == 1
    state = from_torchsparse(
        {"net.0.kernel": listed(kernel, odd), "net.1.running_mean": torch.zeros(3)}, kernel
    )
    assert torch.equal(state["net.0.weight"], canonical(kernel))
    assert "net.1.running_mean" in state


def test_pointwise_kernels_have_no_offset_axis():
    assert from_minkowski({"kernel": torch.ones(2, 3)})["weight"].shape == (1, 2, 3)


def test_pointwise_weights_of_spconv_2_are_read_as_in_out():
    theirs = torch.arange(15.0).reshape(5, 1, 1, 1, 3)
    assert torch.equal(from_spconv({"a.weight": theirs})["a.weight"], torch.arange(15.0).reshape(1, 3, 5))
    strided = from_spconv({"a.weight": theirs}, strided_1x1=["a.weight"])["a.weight"]
    assert torch.equal(strided, torch.arange(15.0).reshape(5, 3).T[None])


@pytest.mark.parametrize("kernel", [(3, 3, 3), (2, 2, 2), (3, 1, 2), (1, 1, 3), (1, 1, 1)])
@pytest.mark.parametrize("axes", ["xyz", "zyx"])
def test_spconv_1_keeps_in_and_out_last(kernel, axes):
    shape = kernel if axes == "xyz" else kernel[::-1]
    theirs = torch.empty(*shape, 2, 3)
    for at in itertools.product(*(range(size) for size in kernel)):
        offset = [list(taps(size))[i] for size, i in zip(kernel, at, strict=True)]
        place = at if axes == "xyz" else at[::-1]
        for i, o in itertools.product(range(2), range(3)):
            theirs[(*place, i, o)] = value(*offset, i, o)
    state = from_spconv({"a.weight": theirs, "a.bias": torch.ones(3)}, axes=axes, version=1)
    assert torch.equal(state["a.weight"], canonical(kernel))


@pytest.mark.parametrize(
    ("shape", "converted"),
    [
        ((16, 3, 3, 3, 4), (27, 4, 16)),
        ((3, 3, 3, 16, 32), (27, 16, 32)),
        ((3, 3, 3, 4, 16), (27, 4, 16)),  # spconv 2 would have a kernel of (3, 3, 4)
        ((1, 1, 1, 64, 20), (1, 64, 20)),
        ((20, 1, 1, 1, 64), (1, 64, 20)),
        ((3, 1, 1, 64, 128), (3, 64, 128)),
        ((128, 3, 1, 1, 64), (3, 64, 128)),
    ],
)
def test_the_version_of_spconv_is_read_off_the_shape(shape, converted):
    assert from_spconv({"a.weight": torch.ones(shape)})["a.weight"].shape == converted


def test_what_both_versions_could_have_written_is_refused():
    both = {"first.weight": torch.ones(3, 3, 3, 3, 16)}
    with pytest.raises(
        ValueError, match=r"'first.weight' of shape \(3, 3, 3, 3, 16\) may be.*Give version=2"
    ):
        from_spconv(both)
    assert from_spconv(both, version=1)["first.weight"].shape == (27, 3, 16)
    assert from_spconv(both, version=2)["first.weight"].shape == (27, 16, 3)
    assert from_spconv(both | {"first.bias": torch.ones(16)})["first.weight"].shape == (27, 3, 16)
    assert from_spconv(both | {"b.weight": torch.ones(32, 3, 3, 3, 16)})["first.weight"].shape == (27, 16, 3)
    with pytest.raises(ValueError, match=r"'a.weight' of shape \(64, 32, 3, 3, 3\) is no"):
        from_spconv({"a.weight": torch.ones(64, 32, 3, 3, 3)})
    with pytest.raises(ValueError, match=r"'b.weight'.* is no \(k, k, k, in, out\) of spconv 1"):
        from_spconv({"a.weight": torch.ones(3, 3, 3, 16, 32), "b.weight": torch.ones(32, 3, 3, 3, 16)})
    with pytest.raises(ValueError, match="with a bias of 7"):
        from_spconv({"a.weight": torch.ones(16, 3, 3, 3, 4), "a.bias": torch.ones(7)}, version=2)
    with pytest.raises(ValueError, match="expected 1 or 2"):
        from_spconv({}, version=3)
    with pytest.raises(ValueError, match="is no 1x1x1 weight"):
        from_spconv({"a.weight": torch.ones(16, 3, 3, 3, 4)}, strided_1x1=["a.weight"])


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="27 offsets, which is not"):  # a callable's answer is no default
        from_minkowski({"a.kernel": torch.ones(27, 2, 3)}, lambda name: (3, 3, 1))
    with pytest.raises(ValueError, match=r"from_torchsparse\(state\): 'a.kernel' has shape"):
        from_torchsparse({"a.kernel": torch.ones(27)})
    with pytest.raises(ValueError, match="6 offsets"):
        from_minkowski({"a.kernel": torch.ones(6, 2, 3)})
    with pytest.raises(ValueError, match="axes"):
        from_spconv({}, axes="yxz")
    with pytest.raises(ValueError, match="model_state"):
        from_openpcdet({"other": torch.ones(1)})


def openpcdet_names(residual):
    def norm(name):
        return [
            f"{name}.{part}"
            for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        ]

    def block(name):
        return [f"{name}.0.weight", *norm(f"{name}.1")]

    def basic(name):
        parts = [[f"{name}.conv{i}.weight", f"{name}.conv{i}.bias", *norm(f"{name}.bn{i}")] for i in (1, 2)]
        return [*parts[0], *parts[1]]

    names = [*block("conv_input"), *block("conv_out")]
    for stage in (1, 2, 3, 4):
        first = 0 if stage == 1 else 1
        names += block(f"conv{stage}.0") if stage > 1 or not residual else []
        for i in range(first, first + (2 if residual or stage > 1 else 0)):
            names += basic(f"conv{stage}.{i}") if residual else block(f"conv{stage}.{i}")
    return {f"backbone_3d.{name}" for name in names}


@pytest.mark.parametrize("residual", [False, True])
def test_openpcdet_names_cover_the_network(residual):
    net = (VoxelResBackBone8x if residual else VoxelBackBone8x)(4)
    state = {name: torch.zeros(1) for name in openpcdet_names(residual)}
    assert set(from_openpcdet(state)) == set(net.state_dict())


def spconv_chain(sp):
    """Submanifold, strided, submanifold, a z-only stride without padding, and back by an inverse convolution."""
    torch.manual_seed(0)
    return sp.SparseSequential(
        sp.SubMConv3d(4, 8, 3, padding=1, bias=True, indice_key="a"),
        sp.SparseConv3d(8, 12, 3, 2, padding=(0, 1, 1), bias=False, indice_key="b"),
        sp.SubMConv3d(12, 12, 3, padding=1, bias=False, indice_key="c"),
        sp.SparseConv3d(12, 16, (3, 1, 1), (2, 1, 1), padding=0, bias=False, indice_key="d"),
        sp.SparseInverseConv3d(16, 12, (3, 1, 1), bias=False, indice_key="d"),
        sp.SparseInverseConv3d(12, 6, 3, bias=False, indice_key="b"),
    )


def our_chain():
    rule = {"rule": "spconv"}
    return voxel.Sequential(
        voxel.SubmanifoldConv3d(4, 8, 3, bias=True),
        voxel.SparseConv3d(8, 12, 3, 2, padding=(1, 1, 0), **rule),
        voxel.SubmanifoldConv3d(12, 12, 3),
        voxel.SparseConv3d(12, 16, (1, 1, 3), (1, 1, 2), padding=0, **rule),
        voxel.SparseConvTranspose3d(16, 12, (1, 1, 3), (1, 1, 2), padding=0, **rule),
        voxel.SparseConvTranspose3d(12, 6, 3, 2, padding=(1, 1, 0), **rule),
    )


def test_pointwise_layers_of_spconv_itself():
    sp = pytest.importorskip("spconv.pytorch", reason="spconv is not installed")
    generator = torch.Generator().manual_seed(1)
    coords = torch.randint(0, 16, (300, 4), generator=generator)
    coords[:, 0] = 0
    coords = coords.unique(dim=0).int()
    feats = torch.randn(len(coords), 4, generator=generator)
    given = sp.SparseConvTensor(feats, coords[:, [0, 3, 2, 1]].contiguous(), (16, 16, 16), 1)
    pointwise, strided = sp.SubMConv3d(4, 8, 1, bias=True), sp.SparseConv3d(4, 8, 1, 2, bias=False)
    with torch.no_grad():
        ours = voxel.SubmanifoldConv3d(4, 8, 1, bias=True)
        ours.load_state_dict(from_spconv(pointwise.state_dict()))
        torch.testing.assert_close(ours(voxel.VoxelTensor(coords, feats)).feats, pointwise(given).features)
        halve = voxel.SparseConv3d(4, 8, 1, 2, rule="spconv", padding=0)
        halve.load_state_dict(from_spconv(strided.state_dict(), strided_1x1=["weight"]))
        result, expected = halve(voxel.VoxelTensor(coords, feats)), strided(given)
        row_of = {
            tuple(row): i
            for i, row in enumerate((result.coords[:, [0, 3, 2, 1]] // torch.tensor([1, 2, 2, 2])).tolist())
        }
        rows = [row_of[tuple(row)] for row in expected.indices.tolist()]
        torch.testing.assert_close(result.feats[rows], expected.features)


@pytest.mark.parametrize("depth", range(1, 7))
def test_spconv_itself(depth):
    sp = pytest.importorskip("spconv.pytorch", reason="spconv is not installed")
    shape = (40, 33, 21)  # x, y, z
    generator = torch.Generator().manual_seed(1)
    coords = torch.stack([torch.randint(0, size, (900,), generator=generator) for size in (2, *shape)], 1)
    coords = coords.unique(dim=0).int()
    feats = torch.randn(len(coords), 4, generator=generator)
    theirs = spconv_chain(sp)
    ours = our_chain()
    ours.load_state_dict({f"layers.{name}": w for name, w in from_spconv(theirs.state_dict()).items()})
    ours.layers = ours.layers[:depth]
    backwards = coords[:, [0, 3, 2, 1]].contiguous()
    with torch.no_grad():
        expected = sp.SparseConvTensor(feats, backwards, shape[::-1], 2)
        for layer in list(theirs)[:depth]:
            expected = layer(expected)
        plan = voxel.plan(ours, coords, spatial_shape=shape)
        result = ours(voxel.VoxelTensor(coords, feats), plan=plan)
    cells = result.coords.clone()
    cells[:, 1:] //= torch.tensor(result.stride, dtype=torch.int32)
    row_of = {tuple(row): i for i, row in enumerate(cells[:, [0, 3, 2, 1]].tolist())}
    assert len(row_of) == len(expected.indices)
    rows = [row_of[tuple(row)] for row in expected.indices.tolist()]
    torch.testing.assert_close(result.feats[rows], expected.features, atol=1e-5, rtol=1e-5)
