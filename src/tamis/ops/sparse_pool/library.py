"""``torch.ops.tamis.sparse_pool`` and its gradient, over the parts of a :class:`PairLists`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tamis.kernels import PairLists, Reduction, cpu, reference
from tamis.ops.observed import observed, transformed

library = torch.library.Library("tamis", "FRAGMENT")
library.define("sparse_pool(Tensor feats, Tensor[] packed, SymInt[] sizes, str reduce) -> Tensor")
library.define(
    "sparse_pool_gradient(Tensor grad, Tensor feats, Tensor out, Tensor[] packed, SymInt[] sizes, str reduce) -> Tensor"
)

# By backend: (pairs, feats, reduce) -> (pairs.rows, channels).
POOLS = {"cpu": cpu.sparse_pool, "reference": reference.sparse_pool}


def run(pairs: PairLists, feats: Tensor, reduce: Reduction) -> Tensor:
    """Pool checked operands: by the kernel, by the operator where a gradient is wanted or a tracer looks.

    Forward-mode AD and the transforms of ``torch.func`` get the reference, which is plain PyTorch.
    """
    if transformed():
        return reference.sparse_pool(pairs, feats, reduce)
    if (torch.is_grad_enabled() and feats.requires_grad) or observed(feats):
        out: Tensor = torch.ops.tamis.sparse_pool.default(feats, pairs.tensors, pairs.sizes, reduce)
        return out
    return POOLS["cpu"](pairs, feats, reduce)


def _forward(feats: Tensor, packed: Sequence[Tensor], sizes: Sequence[int], reduce: Reduction) -> Tensor:
    return POOLS[_backend(feats)](PairLists.from_tensors(packed, sizes), feats, reduce)


def _forward_fake(feats: Tensor, packed: Sequence[Tensor], sizes: Sequence[int], reduce: Reduction) -> Tensor:
    return feats.new_empty(sizes[0], feats.shape[1])


def _gradient(
    grad: Tensor,
    feats: Tensor,
    out: Tensor,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    reduce: Reduction,
) -> Tensor:
    """Of sums and means it is a sum over the transposed map, whose lists ascend as well."""
    pairs = PairLists.from_tensors(packed, sizes)
    if reduce == "max" or _backend(feats) != "cpu":
        return reference.sparse_pool_gradient(pairs, grad, feats, out, reduce)
    if reduce == "mean":
        ones = torch.ones(len(feats), 1, dtype=torch.float32, device=feats.device)
        wide = torch.promote_types(grad.dtype, torch.float32)
        grad = grad.to(wide) / cpu.sparse_pool(pairs, ones, "sum").clamp(min=1)
    return cpu.sparse_pool(pairs.transposed(len(feats)), grad, "sum").to(feats.dtype)


def _gradient_fake(
    grad: Tensor,
    feats: Tensor,
    out: Tensor,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    reduce: Reduction,
) -> Tensor:
    return torch.empty_like(feats)


def _backend(feats: Tensor) -> str:
    return "cpu" if feats.device.type == "cpu" else "reference"


def _keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    feats, packed, sizes, reduce = inputs
    ctx.save_for_backward(feats, output, *packed)
    ctx.plain = (sizes, reduce)


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    feats, out, *packed = ctx.saved_tensors
    sizes, reduce = ctx.plain
    if torch.is_grad_enabled():  # create_graph: the reference is differentiable
        pairs = PairLists.from_tensors(packed, sizes)
        d_feats = reference.sparse_pool_gradient(pairs, grad, feats.detach(), out.detach(), reduce)
    else:
        d_feats = torch.ops.tamis.sparse_pool_gradient(grad, feats, out, packed, sizes, reduce)
    return d_feats, [None] * len(packed), None, None


for _name, _call, _fake in (
    ("sparse_pool", _forward, _forward_fake),
    ("sparse_pool_gradient", _gradient, _gradient_fake),
):
    library.impl(_name, _call, "CompositeExplicitAutograd")
    torch.library.register_fake(f"tamis::{_name}", _fake, lib=library)
torch.library.register_autograd(
    "tamis::sparse_pool", _backward, setup_context=_keep_for_backward, lib=library
)
