"""Layers that take and return a :class:`VoxelTensor`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from tamis.formats.packed_coords import Triple
from tamis.ops.sparse_conv import sparse_conv
from tamis.ops.sparse_pool import Reduction, global_pool, sparse_pool
from tamis.voxel.map_specs import KernelMapSpec, Kind, Rule
from tamis.voxel.planning import run
from tamis.voxel.required_maps import RequiredMaps, maps_of_layer
from tamis.voxel.tensor import VoxelTensor

Size = int | Sequence[int]
MOST_OFFSETS = 2**15  # of a kernel: 32 x 32 x 32


class VoxelConv(nn.Module):
    """What all convolutions share. Weight (kernel_volume, in // groups, out), bias (out), and the map they ask for."""

    kind: Kind

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spec: KernelMapSpec,
        bias: bool,
        groups: int,
    ) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{type(self).__name__}({in_channels}, {out_channels}, groups={groups}): groups must divide both."
            )
        self.in_channels, self.out_channels, self.groups, self.spec = in_channels, out_channels, groups, spec
        volume = math.prod(spec.kernel_size)
        self.weight = nn.Parameter(torch.empty(volume, in_channels // groups, out_channels))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in +-1/sqrt(fan in), as in torch's convolutions."""
        bound = 1 / math.sqrt(self.weight.shape[0] * self.weight.shape[1])
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: VoxelTensor) -> VoxelTensor:
        """Apply to ``x``; outside of a network run a plan is made for this layer alone."""
        return self.fused(x)

    def fused(
        self,
        x: VoxelTensor,
        *,
        scale: Tensor | None = None,
        shift: Tensor | None = None,
        residual: Tensor | None = None,
        relu: bool = False,
    ) -> VoxelTensor:
        """``act(scale * conv(x) + shift + residual)`` in one pass; ``shift`` takes the place of the layer's bias."""
        if x.manager is None:
            alone: VoxelTensor = run(
                self, x, None, partial(self.fused, scale=scale, shift=shift, residual=residual, relu=relu)
            )
            return alone
        layer = (self.kind, self.in_channels, self.out_channels, self.groups)
        kernel_map, level = x.manager.kernel_map(x.level, self.spec, layer)
        feats = sparse_conv(
            x.feats,
            self.weight,
            kernel_map,
            bias=self.bias if shift is None else shift,
            scale=scale,
            residual=residual,
            relu=relu,
            groups=self.groups,
            dataflow=x.manager.dataflow,
        )
        return VoxelTensor.within(x.manager, level, feats)

    def kept_maps(self, stride: Triple, spatial_shape: Triple | None) -> RequiredMaps:
        """The kernel map that the layer requires on its own."""
        layer = (self.kind, self.in_channels, self.out_channels, self.groups)
        return maps_of_layer(self.spec, layer, stride, spatial_shape)

    def extra_repr(self) -> str:
        spec = self.spec
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={spec.kernel_size}"]
        parts += [f"stride={spec.stride}"] if spec.stride != (1, 1, 1) else []
        parts += [f"dilation={spec.dilation}"] if spec.dilation != (1, 1, 1) else []
        parts += [f"rule={spec.rule!r}"] if spec.rule != "minkowski" else []
        parts += [f"groups={self.groups}"] if self.groups != 1 else []
        return ", ".join(parts)


class SubmanifoldConv3d(VoxelConv):
    """Convolution whose outputs are its input voxels.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, dilation : int or three ints
    bias : bool
    groups : int
        ``groups == in_channels == out_channels`` is a depthwise convolution.
    """

    kind = "submanifold"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        *,
        dilation: Size = 1,
        bias: bool = False,
        groups: int = 1,
    ) -> None:
        spec = conv_spec("submanifold", kernel_size, 1, dilation, None, "minkowski")
        super().__init__(in_channels, out_channels, spec, bias, groups)


class SparseConv3d(VoxelConv):
    """Convolution to coarser voxels.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or three ints
    rule : "minkowski" or "spconv"
        Which outputs exist: the cells of the coarser grid that hold an input; or every point of the coarser grid
        whose kernel window touches an input, which are many more. With ``"minkowski"`` and stride 1 the outputs are
        the inputs.
    padding : int or three ints, optional
        Shifts the window as in a dense convolution. Default is a centred window.
    """

    kind = "strided"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 2,
        stride: Size = 2,
        *,
        dilation: Size = 1,
        padding: Size | None = None,
        rule: Rule = "minkowski",
        bias: bool = False,
        groups: int = 1,
    ) -> None:
        spec = conv_spec("strided", kernel_size, stride, dilation, padding, rule)
        super().__init__(in_channels, out_channels, spec, bias, groups)


class SparseConvTranspose3d(VoxelConv):
    """Convolution back to finer voxels: the transpose of :class:`SparseConv3d` with the same arguments.

    By default it returns to the voxels an earlier level of the network had (spconv calls this an inverse
    convolution, MinkowskiEngine a transposed one). ``generative=True`` creates every voxel that an input touches.
    """

    kind = "transposed"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 2,
        stride: Size = 2,
        *,
        dilation: Size = 1,
        padding: Size | None = None,
        rule: Rule = "minkowski",
        generative: bool = False,
        bias: bool = False,
        groups: int = 1,
    ) -> None:
        kind: Kind = "generative" if generative else "transposed"
        spec = conv_spec(kind, kernel_size, stride, dilation, padding, rule)
        super().__init__(in_channels, out_channels, spec, bias, groups)


InverseConv3d = SparseConvTranspose3d


class Pool3d(nn.Module):
    """Pooling to coarser voxels; missing voxels do not count.

    Parameters
    ----------
    reduce : "max", "mean" or "sum"
    kernel_size, stride, padding, rule
        As in :class:`SparseConv3d`.
    """

    def __init__(
        self,
        reduce: Reduction = "max",
        kernel_size: Size = 2,
        stride: Size = 2,
        *,
        padding: Size | None = None,
        rule: Rule = "minkowski",
    ) -> None:
        super().__init__()
        self.reduce: Reduction = reduce
        self.spec = conv_spec("strided", kernel_size, stride, 1, padding, rule)

    def forward(self, x: VoxelTensor) -> VoxelTensor:
        """Apply to ``x``."""
        if x.manager is None:
            alone: VoxelTensor = run(self, x, None, self.forward)
            return alone
        layer = (f"{self.reduce} pool", x.channels, x.channels, 1)
        kernel_map, level = x.manager.kernel_map(x.level, self.spec, layer)
        return VoxelTensor.within(x.manager, level, sparse_pool(x.feats, kernel_map, self.reduce))

    def kept_maps(self, stride: Triple, spatial_shape: Triple | None) -> RequiredMaps:
        """The kernel map that the layer requires on its own."""
        return maps_of_layer(self.spec, (f"{self.reduce} pool", 1, 1, 1), stride, spatial_shape)

    def extra_repr(self) -> str:
        return f"{self.reduce!r}, kernel_size={self.spec.kernel_size}, stride={self.spec.stride}"


class GlobalPool(nn.Module):
    """Reduce every scene to one row: VoxelTensor to Tensor, shape (batch_size, channels)."""

    def __init__(self, reduce: Reduction = "max") -> None:
        super().__init__()
        self.reduce: Reduction = reduce

    def forward(self, x: VoxelTensor) -> Tensor:
        """Apply to ``x``."""
        rows = x.coords[:, 0].long() if x.manager is None else x.manager.batch_rows(x.level)
        return global_pool(x.feats, rows, x.batch_size, self.reduce)

    def extra_repr(self) -> str:
        return repr(self.reduce)


class BatchNorm(nn.BatchNorm1d):
    """Batch norm over all voxels; an empty cloud passes through and leaves the statistics alone.

    So does a single voxel, which has no variance: while training it is normalised by the running statistics, or becomes the
    norm's bias where none are kept.
    """

    def forward(self, x: VoxelTensor) -> VoxelTensor:  # type: ignore[override]
        """Apply to the features of ``x``."""
        if len(x) == 0:
            return x
        return x.with_feats(self._of_one(x.feats) if len(x) == 1 else super().forward(x.feats))

    def _of_one(self, feats: Tensor) -> Tensor:
        if self.running_mean is None:
            return super().forward(feats.expand(2, -1))[:1]
        return nn.functional.batch_norm(
            feats, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    def scale_shift(self, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """Eval mode as ``scale * y + shift``, where ``y + bias`` would be the input; float32 at least."""
        assert self.running_mean is not None
        assert self.running_var is not None
        wide = torch.promote_types(self.running_var.dtype, torch.float32)
        scale = torch.rsqrt(self.running_var.to(wide) + self.eps)
        if self.weight is not None:
            scale = scale * self.weight.to(wide)
        mean = self.running_mean.to(wide)
        shift = -(mean if bias is None else mean - bias.to(wide)) * scale
        return scale, shift if self.bias is None else shift + self.bias.to(wide)


class ReLU(nn.Module):
    """Rectifier on the features."""

    def forward(self, x: VoxelTensor) -> VoxelTensor:
        """Apply to the features of ``x``."""
        return x.with_feats(x.feats.relu())


class Linear(nn.Linear):
    """The same linear map for every voxel."""

    def forward(self, x: VoxelTensor) -> VoxelTensor:  # type: ignore[override]
        """Apply to the features of ``x``."""
        return x.with_feats(super().forward(x.feats))


def triple(size: Size) -> Triple:
    """An int or three ints along x, y, z as three ints."""
    values = tuple(size) if isinstance(size, Sequence) else (size, size, size)
    if len(values) != 3 or any(not isinstance(value, int) for value in values):
        raise ValueError(f"expected an int or three ints along x, y, z, got {size!r}.")
    return (values[0], values[1], values[2])


def conv_spec(
    kind: Kind, kernel_size: Size, stride: Size, dilation: Size, padding: Size | None, rule: Rule
) -> KernelMapSpec:
    """A checked spec; padding that centres the window is the same as none."""
    if rule not in ("minkowski", "spconv"):
        raise ValueError(f'rule={rule!r}: expected "minkowski" or "spconv".')
    size, step, spread = triple(kernel_size), triple(stride), triple(dilation)
    if min(*size, *step, *spread) < 1:
        raise ValueError(f"kernel_size={size}, stride={step}, dilation={spread}: all must be at least 1.")
    if math.prod(size) > MOST_OFFSETS:
        raise ValueError(
            f"kernel_size={size} has {math.prod(size):,} offsets, each with weights and a list of neighbours of its own; "
            f"expected at most {MOST_OFFSETS:,}."
        )
    pad = None if padding is None else triple(padding)
    if pad == tuple((taps - 1) // 2 * by for taps, by in zip(size, spread, strict=True)):
        pad = None
    return KernelMapSpec(kind, size, step, spread, rule, pad)
