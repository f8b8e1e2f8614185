"""Dense or sparse, and how: the verdict on one linear layer."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from tamis.formats import BSR, CSR, SparseMatrix
from tamis.inspect import LayerUse
from tamis.models.precision import EIGHT_BITS, Precision
from tamis.nn import SparseLinear
from tamis.tuning import time_interleaved

Times = Literal["measured", "predicted"]

# Blocks that hold more fill than this per nonzero never win, so they are not even tried.
MOST_FILL = 2.0


@dataclass(frozen=True)
class Contender:
    """A sparse layer that could take the place of the dense one.

    Attributes
    ----------
    format : str
    layer : SparseLinear
    dense_ms, sparse_ms : float
        Over all calls of one forward pass.
    note : str
        What else is to be said, such as why it is not in 8 bits.
    """

    format: str
    layer: SparseLinear
    dense_ms: float
    sparse_ms: float
    note: str = ""

    @property
    def pays(self) -> bool:
        return self.sparse_ms < self.dense_ms


def best_contender(
    layer: nn.Linear, use: LayerUse, times: Times, budget_s: float, precision: Precision
) -> Contender:
    """Try the formats that fit the zeros of a layer, in float32 and 8 bits as allowed, and return the fastest.

    Parameters
    ----------
    layer : nn.Linear
    use : LayerUse
        From tracing: at least one call with tokens.
    times : "measured" or "predicted"
        Time the layers on this machine, on the traced input, or ask the ops' cost model.
    budget_s : float
        Seconds to measure per layer.
    precision : Precision

    Raises
    ------
    NotImplementedError   if no kernel covers the layer.
    """
    n = max(use.tokens)
    rounded, note = precision.eight_bits(layer, n, use.sample)
    layers = {} if rounded is None else {EIGHT_BITS: rounded}
    if rounded is None or precision.compute == "fastest":
        layers |= {
            name: SparseLinear.from_dense(layer, make, n=n)
            for name, make in fitting_formats(layer.weight).items()
        }
    timed = _measure(layer, layers, use, budget_s) if times == "measured" else _predict(layers, use)
    return replace(min(timed, key=lambda contender: contender.sparse_ms), note=note)


def fitting_formats(weight: Tensor) -> dict[str, Callable[[Tensor], SparseMatrix]]:
    """Name the formats worth trying for the zeros of this weight: CSR, and 4x1 blocks unless mostly fill."""
    formats: dict[str, Callable[[Tensor], SparseMatrix]] = {"CSR": CSR.from_dense}
    m, k = weight.shape
    if m % 4 == 0:
        nonzero = weight.detach() != 0
        stored = 4 * int(nonzero.view(m // 4, 4, k).any(1).sum())
        if stored < MOST_FILL * int(nonzero.sum()):
            formats["BSR 4x1"] = partial(BSR.from_dense, blocksize=(4, 1))
    return formats


def _measure(
    layer: nn.Linear, layers: dict[str, SparseLinear], use: LayerUse, budget_s: float
) -> list[Contender]:
    ms = dict.fromkeys(["dense", *layers], 0.0)
    calls = Counter(n for n in use.tokens if n)
    for n, times in calls.items():
        x = _rows(use.sample, n).to(layer.weight.dtype)
        contestants = {name: partial(module, x) for name, module in {"dense": layer, **layers}.items()}
        with torch.no_grad():
            for name, timing in time_interleaved(contestants, budget_s=budget_s / len(calls)).items():
                ms[name] += times * timing.median_us / 1000
    return [Contender(name, sparse, ms["dense"], ms[name]) for name, sparse in layers.items()]


def _predict(layers: dict[str, SparseLinear], use: LayerUse) -> list[Contender]:
    contenders = []
    for name, sparse in layers.items():
        plans = [sparse.plan.at(n) for n in use.tokens if n]
        dense_ms, sparse_ms = (
            sum(us) / 1000 for us in zip(*((p.dense_time_us, p.time_us) for p in plans), strict=True)
        )
        contenders.append(Contender(name, sparse, dense_ms, sparse_ms))
    return contenders


def _rows(sample: Tensor, n: int) -> Tensor:
    """Repeat or cut the traced rows to n of them."""
    return sample.repeat(math.ceil(n / sample.shape[0]), 1)[:n]
