"""In what a layer may be computed, and how far its output may then be off."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from tamis.formats import BSR, SparseMatrix, quantize_rows
from tamis.nn import SparseLinear

Compute = Literal["float32", "int8", "fastest"]

EIGHT_BITS = "BSR 1x4 int8"  # as the report names the format: quads of weights, which are multiplied at once
MORE_THAN_DENSE = 1.1  # times the error of dense int8, where the caller sets no bound

# Outputs of a layer that are computed in float64 at a time.
OUTPUTS = 256


@dataclass(frozen=True)
class Precision:
    """What the caller allows.

    Attributes
    ----------
    compute : "float32", "int8" or "fastest"
        8 bits never, where the error allows it, or where that is fastest as well.
    max_error : float or None
        Bound on :func:`relative_error` in 8 bits; None for a tenth more than dense int8 makes on the same rows.
    """

    compute: Compute = "float32"
    max_error: float | None = None

    def eight_bits(self, layer: nn.Linear, n: int, sample: Tensor) -> tuple[SparseLinear | None, str]:
        """The layer in 8 bits, for n rows; or None, and why not."""
        if self.compute == "float32":
            return None, ""
        if layer.in_features % 4:
            return None, f"no 8 bits: its {layer.in_features} inputs are no multiple of 4"
        if not bool(layer.weight.isfinite().all()):
            return None, "no 8 bits: its weights hold NaN or Inf"
        sparse = SparseLinear.from_dense(layer, _quantized, n=n, compute="int8")
        error, allowed = relative_error(layer, sparse, sample), self.max_error
        if allowed is None:
            allowed = MORE_THAN_DENSE * dense_int8_error(layer, sample)
        if not error <= allowed:
            return None, f"no 8 bits: they err by {error:.1e}, {allowed:.1e} is allowed"
        return sparse, ""


def relative_error(layer: nn.Linear, other: nn.Module, sample: Tensor) -> float:
    """||other(x) - layer(x)|| / ||layer(x)||, Frobenius norms, the layer in float64, on traced rows x (n, k).

    Where both are the same infinity, or both NaN, they do not deviate.
    """
    with torch.no_grad():
        # A few outputs at a time: the whole weight in float64 would take twice the layer's memory.
        x = sample.double()
        exact = torch.cat([x @ rows.double().T for rows in layer.weight.split(OUTPUTS)], dim=1)
        if layer.bias is not None:
            exact += layer.bias.double()
        y = other(sample.to(layer.weight.dtype)).double()
        same = (y == exact) | (y.isnan() & exact.isnan())
        return _relative((y - exact).masked_fill(same, 0), exact)


def dense_int8_error(layer: nn.Linear, sample: Tensor) -> float:
    """What torch's dynamic quantisation makes of a layer, as :func:`relative_error`.

    That is ``torch.ao.quantization.quantize_dynamic`` as it is by default: one scale for all weights in 8 bits, one range for
    all activations of a call in 7 (``reduce_range``), zero among the levels.
    """
    with torch.no_grad():
        x, w, least = sample.float(), layer.weight.float(), torch.finfo(torch.float32).tiny
        step = (w.abs().max() / 127.5).clamp(min=least)
        weights = (w / step).round().clamp(-128, 127) * step
        low, high = x.min().clamp(max=0), x.max().clamp(min=0)
        step = ((high - low) / 127).clamp(min=least)
        zero = (-low / step).round()
        activations = (((x / step).round() + zero).clamp(0, 127) - zero) * step
        exact = functional.linear(x, w, layer.bias)
        return _relative(functional.linear(activations, weights, layer.bias) - exact, exact)


def _quantized(weight: Tensor) -> SparseMatrix:
    return quantize_rows(BSR.from_dense(weight, blocksize=(1, 4)))


def _relative(off: Tensor, exact: Tensor) -> float:
    size = exact.masked_fill(~exact.isfinite(), 0).double().norm()
    return float(off.double().norm() / size.clamp(min=torch.finfo(torch.float64).tiny))
