"""Training steps of a linear layer, sparse and dense: forward, and gradients of weights, bias and inputs; and the SDDMM within, alone.

``tamis bench spmm --training``. Every row is one of three contestants on one layer and number of tokens; ``gflops`` counts useful operations:
three products of a step, one of the SDDMM, over the stored weights (dense: over all).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from tamis.bench.measurement import Machine, csv_rows, relative_error, rounding_bound, this_machine
from tamis.bench.spmm import rows
from tamis.bench.spmm.results.published import SHARED
from tamis.bench.spmm.rows import Row
from tamis.kernels.cpu import PanelMatrix, WindowMatrix, sddmm
from tamis.nn import SparseLinear
from tamis.tuning import time_interleaved
from tamis.workloads import Spec, generate

SHAPES = ((768, 768), (3072, 768), (4096, 1024))
SPARSITIES = (0.8, 0.9, 0.95)
TOKENS = (32, 128, 512)
SECTION = "training"
DENSE, STEP, SDDMM = "dense_step", "tamis_step", "tamis_sddmm"
KEPT = (
    *("section", "matrix", "pattern", "family", "m", "k", "n", "nnz", "target", "sparsity", "cache", "contestant", "detail"),
    *("median_us", "spread", "waiting", "dense_us", "speedup", "gflops", "max_error", "tolerance", "resident_bytes"),
)  # fmt: skip


class Layers(NamedTuple):
    """One layer, both ways, and what goes in from both ends: x (n, k) and the gradient of the outputs (n, m)."""

    dense: nn.Linear
    sparse: SparseLinear
    x: Tensor
    upstream: Tensor


def run(
    folder: Path,
    progress: Callable[[str], None],
    *,
    shapes: Sequence[tuple[int, int]] | None = None,
    sparsities: Sequence[float] | None = None,
    tokens: Sequence[int] | None = None,
) -> tuple[list[Row], Path]:
    """Measure all cells (``SHAPES`` x ``SPARSITIES`` x ``TOKENS``, unless told otherwise) and write their rows.

    Returns the rows, and their CSV in ``folder``, which is written anew.
    """
    machine = this_machine()
    found: list[Row] = []
    for (m, k), sparsity, n in product(shapes or SHAPES, sparsities or SPARSITIES, tokens or TOKENS):
        spec = Spec(m, k, sparsity)
        progress(f"{spec.name}, {n} tokens")
        found += measure(spec, n, machine)
    path = folder / f"spmm_training_{machine.device}_{machine.isa}_{machine.threads}t.csv"
    rows.replace(path, found)
    return found, path


def publish(found: list[Row], path: Path) -> None:
    """Write the rows trimmed, for docs/results."""
    alike = {name: getattr(found[0], name) for name in SHARED}
    csv_rows.publish(path, Row, [replace(row, **alike) for row in found], KEPT, SHARED)


def measure(spec: Spec, n: int, machine: Machine, *, share_s: float = 0.15) -> Iterator[Row]:
    """Check the gradients against float64, then time the three contestants in turns.

    Raises
    ------
    ValueError   if a gradient is wrong; there is no time without a right result.
    """
    layers = _layers(generate(spec), n)
    nnz = int((layers.dense.weight != 0).sum())
    packed = cast(PanelMatrix | WindowMatrix, layers.sparse.plan.packed)  # float32 has no other
    calls = {
        DENSE: lambda: step(layers.dense, layers),
        STEP: lambda: step(layers.sparse, layers),
        SDDMM: lambda: sddmm(packed, layers.upstream, layers.x.detach(), True),
    }
    error, bound = error_of_gradients(layers), rounding_bound(max(spec.m, spec.k, n))
    if error > bound:
        raise ValueError(
            f"{spec.name}, {n} tokens: gradients err by {error:.1e}, allowed {bound:.1e}; not timed."
        )
    timings = time_interleaved(calls, budget_s=share_s * len(calls))
    dense_us = timings[DENSE].median_us
    blank = Row(
        section=SECTION, matrix=spec.name, pattern=spec.pattern, family=spec.family, m=spec.m, k=spec.k, n=n, nnz=nnz,
        target=spec.sparsity, sparsity=1 - nnz / (spec.m * spec.k), cache="warm", planned_n=n, contestant="",
    ).on(machine)  # fmt: skip
    for name, timing in timings.items():
        products, stored = (1 if name == SDDMM else 3), (spec.m * spec.k if name == DENSE else nnz)
        row = replace(
            blank.with_timing(timing),
            contestant=name,
            detail=layers.sparse.plan.kernel if name == STEP else "",
            waiting=timing.waiting,
            gflops=2 * products * stored * n / timing.median_us / 1e3,
        )
        if name == STEP:
            row = replace(
                row,
                dense_us=dense_us,
                speedup=dense_us / timing.median_us,
                max_error=error,
                tolerance=bound,
                resident_bytes=layers.sparse.plan.nbytes,
            )
        yield row


def step(layer: nn.Module, layers: Layers) -> tuple[Tensor, ...]:
    """Outputs, and the gradients of inputs and parameters."""
    y = layer(layers.x)
    return torch.autograd.grad(y, (layers.x, *layer.parameters()), layers.upstream)


def error_of_gradients(layers: Layers) -> float:
    """Largest error of the sparse layer's gradients, relative to the sums of absolute values."""
    grad_x, *of_parameters = step(layers.sparse, layers)
    named = dict(zip((name for name, _ in layers.sparse.named_parameters()), of_parameters, strict=True))
    packed = layers.sparse.plan.packed
    x, upstream, w = (
        layers.x.detach().double(),
        layers.upstream.double(),
        layers.dense.weight.detach().double(),
    )
    at = tuple(index.clamp(min=0) for index in packed.entries())
    real = packed.entries()[0] >= 0
    return max(
        relative_error(grad_x, upstream @ w, upstream.abs() @ w.abs()),
        relative_error(
            named["values"], (upstream.T @ x)[at].where(real, 0), (upstream.abs().T @ x.abs())[at]
        ),
    )


def _layers(weight: Tensor, n: int) -> Layers:
    generator = torch.Generator().manual_seed(0)
    (m, k), dense = weight.shape, nn.Linear(weight.shape[1], weight.shape[0])
    dense.weight.data = weight
    x, upstream = torch.randn(n, k, generator=generator), torch.randn(n, m, generator=generator)
    return Layers(dense, SparseLinear.from_dense(dense, n=n), x.requires_grad_(), upstream)
