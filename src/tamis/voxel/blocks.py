"""Convolution with batch norm and ReLU, residual blocks, and the frame of a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tamis.formats.packed_coords import Triple
from tamis.voxel.modules import BatchNorm, SubmanifoldConv3d, VoxelConv
from tamis.voxel.planning import Plan, run
from tamis.voxel.required_maps import RequiredMaps, required_maps
from tamis.voxel.tensor import VoxelTensor


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU. In eval mode without gradients it is one fused pass."""

    def __init__(self, conv: VoxelConv, relu: bool = True) -> None:
        super().__init__()
        self.conv = conv
        self.norm = BatchNorm(conv.out_channels)
        self.relu = relu

    def forward(self, x: VoxelTensor, residual: Tensor | None = None) -> VoxelTensor:
        """``act(norm(conv(x)) + residual)``."""
        if not self.training and not torch.is_grad_enabled():
            scale, shift = self.norm.scale_shift(self.conv.bias)
            return self.conv.fused(x, scale=scale, shift=shift, residual=residual, relu=self.relu)
        y: VoxelTensor = self.norm(self.conv(x))
        feats = y.feats if residual is None else y.feats + residual
        return y.with_feats(feats.relu() if self.relu else feats)


class ResidualBlock(nn.Module):
    """Two submanifold convolutions and a shortcut, ``relu(norm(conv(relu(norm(conv(x))))) + shortcut(x))``.

    The shortcut is the identity, or a 1x1x1 convolution with batch norm where the number of channels changes.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int | Triple = 3, *, bias: bool = False
    ) -> None:
        super().__init__()
        self.first = ConvBlock(SubmanifoldConv3d(in_channels, out_channels, kernel_size, bias=bias))
        self.second = ConvBlock(SubmanifoldConv3d(out_channels, out_channels, kernel_size, bias=bias))
        self.shortcut = None
        if in_channels != out_channels:
            self.shortcut = ConvBlock(SubmanifoldConv3d(in_channels, out_channels, 1), relu=False)

    def forward(self, x: VoxelTensor) -> VoxelTensor:
        """Apply to ``x``."""
        straight = x if self.shortcut is None else self.shortcut(x)
        result: VoxelTensor = self.second(self.first(x), straight.feats)
        return result


class VoxelNetwork(nn.Module):
    """A network over voxels: subclasses write ``body(x)``, callers ``network(x)`` or ``network(x, plan=plan)``.

    ``spatial_shape`` is the size of the input grid along x, y, z, for networks whose layers end at its border.
    """

    spatial_shape: Triple | None = None

    def body(self, x: VoxelTensor) -> Any:
        """The layers, in order."""
        raise NotImplementedError(f"{type(self).__name__} has no body(x).")

    def forward(self, x: VoxelTensor, *, plan: Plan | None = None) -> Any:
        """Run on ``x``. Rows of the input's voxels come back in the caller's order.

        Parameters
        ----------
        x : VoxelTensor
        plan : Plan, optional
            From :func:`tamis.voxel.plan` over ``x``; without it one is made and thrown away.
        """
        return run(self, x, plan, self.body)

    def kept_maps(self, stride: Triple, spatial_shape: Triple | None) -> RequiredMaps:
        """The kernel maps that this network requires, kept until one of its layers changes its spec."""
        specs = tuple(module.spec for module in self.modules() if hasattr(module, "spec"))
        key = (stride, spatial_shape, specs)
        kept: tuple[Any, RequiredMaps] | None = self.__dict__.get("_kept_maps")
        if kept is None or kept[0] != key:
            kept = (key, required_maps(self, stride=stride, spatial_shape=spatial_shape))
            self.__dict__["_kept_maps"] = kept
        return kept[1]


class Sequential(VoxelNetwork):
    """Layers one after the other, as a network."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def body(self, x: VoxelTensor) -> Any:
        """The layers, in order."""
        for layer in self.layers:
            x = layer(x)
        return x
