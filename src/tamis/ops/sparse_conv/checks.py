"""What a call of sparse_conv must look like, in sentences."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.ops.kernel_map import KernelMap


def check_call(
    feats: Tensor,
    weight: Tensor,
    kernel_map: KernelMap,
    bias: Tensor | None,
    scale: Tensor | None,
    residual: Tensor | None,
    groups: int,
) -> None:
    """Raise an error that tells which types, shapes, dtypes or devices do not fit together, and the cure."""
    call = "sparse_conv(feats, weight, kernel_map)"
    if not isinstance(kernel_map, KernelMap):
        raise TypeError(
            f"{call}: kernel_map is {type(kernel_map).__name__}, expected what voxel.kernel_map returns."
        )
    for name, tensor in (
        ("feats", feats),
        ("weight", weight),
        ("bias", bias),
        ("scale", scale),
        ("residual", residual),
    ):
        if tensor is not None and (not isinstance(tensor, Tensor) or tensor.layout != torch.strided):
            kind = (
                f"a tensor of layout {tensor.layout}" if isinstance(tensor, Tensor) else type(tensor).__name__
            )
            raise TypeError(f"{call}: {name} is {kind}, expected a dense tensor.")
    if not isinstance(groups, int) or groups < 1:
        raise ValueError(f"{call}: groups={groups!r}, expected a whole number, 1 or more.")
    if feats.ndim != 2 or len(feats) != kernel_map.in_rows:
        raise ValueError(
            f"{call}: the map has {kernel_map.in_rows} input rows, so feats needs shape ({kernel_map.in_rows}, c_in), "
            f"but has {tuple(feats.shape)}. Was the map made for another set of voxels?"
        )
    if (
        weight.ndim != 3
        or len(weight) != kernel_map.kernel_volume
        or weight.shape[1] * groups != feats.shape[1]
    ):
        raise ValueError(
            f"{call}: with {kernel_map.kernel_volume} offsets, {feats.shape[1]} input channels and groups={groups}, "
            f"weight needs shape ({kernel_map.kernel_volume}, {feats.shape[1] // groups}, c_out), but has "
            f"{tuple(weight.shape)}. The order is offset, input channel, output channel."
        )
    c_out = weight.shape[2]
    if feats.shape[1] % groups or c_out % groups:
        raise ValueError(f"{call}: groups={groups} must divide c_in={feats.shape[1]} and c_out={c_out}.")
    for name, tensor, shape in (
        ("bias", bias, (c_out,)),
        ("scale", scale, (c_out,)),
        ("residual", residual, (kernel_map.out_rows, c_out)),
    ):
        if tensor is not None and tuple(tensor.shape) != shape:
            raise ValueError(f"{call}: {name} needs shape {shape}, but has {tuple(tensor.shape)}.")
    for name, tensor in (("weight", weight), ("residual", residual)):
        if tensor is not None and (tensor.dtype != feats.dtype or tensor.device != feats.device):
            raise ValueError(
                f"{call}: feats is {feats.dtype} on {feats.device}, but {name} is {tensor.dtype} on {tensor.device}. "
                f"Convert one of them with .to(...)."
            )
    for name, tensor in (("kernel_map", kernel_map.first), ("bias", bias), ("scale", scale)):
        if tensor is not None and tensor.device != feats.device:
            raise ValueError(
                f"{call}: feats is on {feats.device}, but {name} is on {tensor.device}. Move one of them."
            )
