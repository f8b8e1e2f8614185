"""What the linear layers of a model receive while it runs on example inputs."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tamis.inspect.calls import watching_calls
from tamis.inspect.running import ModelInputs, evaluating, run_model

# Rows that are converted to the Gram matrix's dtype at a time.
ROWS = 4096


@dataclass(eq=False)
class LayerStatistics:
    """Sums over all rows x of a layer's inputs, X of shape (tokens, k).

    Attributes
    ----------
    tokens : int
        Rows of X.
    squares : Tensor, shape (k,), float64
        Sum of x² per column.
    gram : Tensor, shape (k, k), float32 or float64, or None
        XᵀX, not divided by the number of rows; None where it was not asked for. On the device of the inputs.
    """

    tokens: int
    squares: Tensor
    gram: Tensor | None = None

    @property
    def norms(self) -> Tensor:
        """L2 norm of every input column, shape (k,), float64."""
        return self.squares.sqrt()


def layer_statistics(
    model: nn.Module,
    batches: Iterable[ModelInputs],
    layers: Iterable[nn.Module],
    *,
    gram: torch.dtype | None = None,
) -> dict[nn.Module, LayerStatistics]:
    """Sum up the inputs of layers over all batches, in eval mode and without gradients; no input is kept.

    Parameters
    ----------
    model : nn.Module
    batches : iterable of tensors, tuples or mappings
        Each is one call of the model, see :func:`run_model`.
    layers : iterable of nn.Module
        Layers inside ``model`` whose first argument is (..., k). A Gram matrix of each takes 4k² or 8k² bytes, so ask
        for those of one block at a time, see :func:`blocks`.
    gram : torch.float32 or torch.float64, optional
        Sum up XᵀX too, in this dtype.

    Returns
    -------
    dict
        layer -> LayerStatistics. Layers that never ran are absent.
    """
    found: dict[nn.Module, LayerStatistics] = {}

    def add(layer: nn.Module, x: Tensor) -> None:
        rows = x.detach().reshape(-1, x.shape[-1])
        squares = rows.double().square().sum(0)
        if layer not in found:
            k = rows.shape[1]
            zeros = None if gram is None else torch.zeros(k, k, dtype=gram, device=rows.device)
            found[layer] = LayerStatistics(0, torch.zeros_like(squares), zeros)
        statistics = found[layer]
        statistics.tokens += len(rows)
        statistics.squares += squares
        if statistics.gram is not None:
            for part in rows.split(ROWS):
                part = part.to(statistics.gram.dtype)
                statistics.gram.addmm_(part.T, part)

    with evaluating(model), watching_calls(layers, add):
        for batch in batches:
            run_model(model, batch)
    return found
