"""Convolution with batch norm and ReLU, residual blocks, and the frame of a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from tamis.formats.packed_coords import Triple
from tamis.voxel.modules import BatchNorm, SubmanifoldConv3d, VoxelConv
from tamis.voxel.planning import Plan, run
from tamis.voxel.required_maps import RequiredMaps, required_maps
from tamis.voxel.tensor import VoxelTensor


class ConvBlock(nn.Module):
    """Convolution, norm, ReLU. In eval mode without gradients it is one fused pass, unless somebody looks at its parts.

    Parameters
    ----------
    conv : VoxelConv
    relu : bool
    norm : nn.Module, optional
        Default is :class:`BatchNorm`. One of torch's own takes the features.
    """

    def __init__(self, conv: VoxelConv, relu: bool = True, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = conv
        self.norm: Any = BatchNorm(conv.out_channels) if norm is None else norm
        self.relu = relu

    def forward(self, x: VoxelTensor, residual: Tensor | None = None) -> VoxelTensor:
        """``act(norm(conv(x)) + residual)``."""
        untraced = torch._C._get_tracing_state() is None  # a trace made without gradients may run with them
        if untraced and not torch.is_grad_enabled() and _fuses(self.conv, self.norm):
            scale, shift = self.norm.scale_shift(self.conv.bias)
            return self.conv.fused(x, scale=scale, shift=shift, residual=residual, relu=self.relu)
        y: VoxelTensor = apply_layer(self.norm, self.conv(x))
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
        """The layers, in order; those of torch, a ``nn.LayerNorm`` say, take and return the features."""
        for layer in self.layers:
            x = apply_layer(layer, x)
        return x


def apply_layer(layer: nn.Module, x: Any) -> Any:
    """``layer(x)``; a layer of torch's own gets the features instead of the tensor of voxels. Containers are none."""
    of_torch = getattr(type(layer).forward, "__module__", "").startswith("torch.nn.")
    if of_torch and isinstance(x, VoxelTensor) and layer._modules.keys() <= {"parametrizations"}:
        return x.with_feats(layer(x.feats))
    return layer(x)


def _fuses(conv: nn.Module, norm: nn.Module) -> bool:
    """True if calling both does nothing but convolve, and scale and shift by statistics that stay as they are.

    Not so with hooks, an own forward, or a compiled one. One expression, because it stands before every fused call.
    """
    c, n = conv.__dict__, norm.__dict__
    return (
        isinstance(conv, VoxelConv)
        and isinstance(norm, BatchNorm)
        and type(conv).forward is VoxelConv.forward
        and type(norm).forward is BatchNorm.forward
        and type(conv).__call__ is type(norm).__call__ is nn.Module.__call__
        and not (
            c["_forward_pre_hooks"] or c["_forward_hooks"] or c["_backward_pre_hooks"] or c["_backward_hooks"]
        )
        and not (
            n["_forward_pre_hooks"] or n["_forward_hooks"] or n["_backward_pre_hooks"] or n["_backward_hooks"]
        )
        and not _has_any_global_hook()
        and "forward" not in c
        and "forward" not in n
        and not (conv._compiled_call_impl or norm._compiled_call_impl)
        and not norm.training
        and norm.running_mean is not None
    )
