"""Numbers in text files, as tensors."""

from array import array

import torch
from torch import Tensor

_DTYPES = {"q": torch.int64, "d": torch.float64}


def tensor_from_array(numbers: "array[int] | array[float]") -> Tensor:
    """Return an array of type "q" or "d" as an int64 or float64 tensor on the same memory."""
    dtype = _DTYPES[numbers.typecode]
    return torch.frombuffer(numbers, dtype=dtype) if numbers else torch.empty(0, dtype=dtype)
