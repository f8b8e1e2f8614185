"""Which numbers are stored: the rules on 0.0, -0.0 and NaN, kept in one place.

Entering from a dense tensor, an entry is stored if it differs from zero (NaN does). Both zeros are left out: pruning by
``w * mask`` leaves -0.0 wherever w was negative, and a format that stored those would hold what was pruned away. A
``mask`` overrules this: it names the entries to store, whatever their value.

Between formats, a stored entry keeps its bits, -0.0 and NaN included. Formats with fixed slots (BSR, NM) fill the slots
nobody asked for with +0.0, so there a stored +0.0 is fill, and is left behind on the way out.
"""

import torch
from torch import Tensor

from tamis.formats.invariants import VALUE_DTYPES, check_mask, check_tensor


def entries_to_store(call: str, dense: Tensor, mask: Tensor | None) -> Tensor:
    """Return the (m, k) bool pattern of the entries of ``dense`` to store; checks both arguments."""
    check_tensor(call, "w", dense, 2)
    if dense.dtype not in VALUE_DTYPES:
        expected = ", ".join(str(dtype).removeprefix("torch.") for dtype in VALUE_DTYPES)
        raise TypeError(f"{call}: w has dtype {dense.dtype}; expected one of {expected}.")
    if dense.is_meta:
        raise ValueError(f"{call}: w is on the meta device, which holds no values to choose from.")
    check_mask(call, dense, mask)
    return dense != 0 if mask is None else mask


def is_not_fill(values: Tensor) -> Tensor:
    """Return True where ``values`` has any bit set: everything but +0.0 (and int8 0)."""
    nonzero = values != 0
    return nonzero | values.signbit() if values.is_floating_point() else nonzero


def with_fill(dense: Tensor, stored: Tensor) -> Tensor:
    """Return ``dense`` with +0.0 wherever ``stored`` is False."""
    return torch.where(stored, dense, torch.zeros((), dtype=dense.dtype, device=dense.device))
